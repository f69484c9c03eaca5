{{/* The name of every object of this release. */}}
{{- define "website.name" -}}
{{- $name := .Release.Name }}
{{- if not (contains .Chart.Name $name) }}{{ $name = printf "%s-%s" $name .Chart.Name }}{{ end }}
{{- $name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* What selects the pods; it never changes. */}}
{{- define "website.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of every object. No version among them: a new version then changes only what really differs. */}}
{{- define "website.labels" -}}
{{ include "website.selector" . }}
app.kubernetes.io/part-of: website
{{- end }}
