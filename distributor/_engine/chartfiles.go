package main

import (
	"bytes"
	"encoding/base64"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/gobwas/glob"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"sigs.k8s.io/yaml"
)

// steadyFilesCall goes in front of each template of a chart that needs it: it puts steadyFiles into
// the scope before the template runs.
const steadyFilesCall = "{{ $_ := steadyFiles . }}"

// steadyChartFiles prepares a chart that has two files of one name in different folders. Helm's
// `.Files.AsConfig` and `.Files.AsSecrets` drop the folder, and of such two the one that a Go map
// gives last wins: another one at each render.
func steadyChartFiles(c *chart.Chart) {
	all := withSubcharts(c)
	if !slices.ContainsFunc(all, hasTwins) {
		return
	}
	for _, each := range all {
		for _, template := range each.Templates {
			template.Data = slices.Concat([]byte(steadyFilesCall), template.Data)
		}
	}
}

func withSubcharts(c *chart.Chart) []*chart.Chart {
	all := []*chart.Chart{c}
	for _, subchart := range c.Dependencies() {
		all = append(all, withSubcharts(subchart)...)
	}
	return all
}

func hasTwins(c *chart.Chart) bool {
	seen := map[string]*common.File{}
	for _, file := range c.Files {
		twin := seen[path.Base(file.Name)]
		if twin != nil && !bytes.Equal(twin.Data, file.Data) {
			return true
		}
		seen[path.Base(file.Name)] = file
	}
	return false
}

// useSteadyFiles is the function steadyFiles of templates: it replaces the files of a scope and of its
// subcharts.
func useSteadyFiles(scope map[string]any) string {
	content := reflect.TypeFor[map[string][]byte]()
	if given := reflect.ValueOf(scope["Files"]); given.IsValid() && given.CanConvert(content) {
		scope["Files"] = steadyFiles(given.Convert(content).Interface().(map[string][]byte))
	}
	subcharts, _ := scope["Subcharts"].(map[string]any)
	for _, subchart := range subcharts {
		if inner, is := subchart.(map[string]any); is {
			useSteadyFiles(inner)
		}
	}
	return ""
}

// steadyFiles are the files of a chart by path, with the methods of Helm's own; of two files with one
// name the later path wins.
type steadyFiles map[string][]byte

// GetBytes is the content of a file, empty where there is none.
func (f steadyFiles) GetBytes(name string) []byte {
	if data, found := f[name]; found {
		return data
	}
	return []byte{}
}

// Get is the content of a file as text.
func (f steadyFiles) Get(name string) string { return string(f[name]) }

// Glob are the files whose path matches; a pattern that is none matches all, as with Helm.
func (f steadyFiles) Glob(pattern string) steadyFiles {
	matcher, err := glob.Compile(pattern, '/')
	if err != nil {
		matcher = glob.MustCompile("**")
	}
	matched := steadyFiles{}
	for name, data := range f {
		if matcher.Match(name) {
			matched[name] = data
		}
	}
	return matched
}

// AsConfig is a mapping from names without folder to text.
func (f steadyFiles) AsConfig() string {
	return f.flat(func(data []byte) string { return string(data) })
}

// AsSecrets is a mapping from names without folder to base64.
func (f steadyFiles) AsSecrets() string { return f.flat(base64.StdEncoding.EncodeToString) }

func (f steadyFiles) flat(encode func([]byte) string) string {
	if f == nil {
		return ""
	}
	entries := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		entries[path.Base(name)] = encode(f[name])
	}
	text, err := yaml.Marshal(entries)
	if err != nil {
		return "" // as with Helm
	}
	return strings.TrimSuffix(string(text), "\n")
}

// Lines are the lines of a file.
func (f steadyFiles) Lines(name string) []string {
	if len(f[name]) == 0 {
		return []string{}
	}
	return strings.Split(strings.TrimSuffix(string(f[name]), "\n"), "\n")
}
