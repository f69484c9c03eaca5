package main

import (
	"bytes"
	"io/fs"
	"path"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	helmengine "helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/ignore"
	release "helm.sh/helm/v4/pkg/release/v1/util"
)

// helm gives the objects of `helm template`, in its order: CRDs when asked for, the manifests in
// install order, then every hook.
func (j *job) helm() ([][]byte, error) {
	options := j.request.Chart
	if options == nil {
		return nil, fail(codeBadRequest, "", "the helm renderer needs chart options")
	}
	c, err := j.loadChart()
	if err != nil {
		return nil, err
	}
	values, err := j.renderValues(c, options)
	if err != nil {
		return nil, err
	}
	var pure purity
	engine := helmengine.Engine{CustomTemplateFuncs: pure.funcs()}
	texts, err := engine.Render(c, values)
	if impure := pure.verdict(j.request.Path, err); impure != nil {
		return nil, impure
	}
	if err != nil {
		return nil, fail(codeTemplate, j.request.Path, "%v", err)
	}
	return j.chartObjects(c, options, texts)
}

// chartObjects parses what the templates wrote.
func (j *job) chartObjects(c *chart.Chart, options *ChartOptions, texts map[string]string) ([][]byte, error) {
	size := 0
	for name, text := range texts {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(texts, name)
			continue
		}
		if size += len(text); size > j.limits.MaxOutput {
			return nil, fail(codeTooLarge, j.request.Path, "the templates write more than %d bytes", j.limits.MaxOutput)
		}
		if err := checkText(name, []byte(text)); err != nil {
			return nil, err
		}
	}
	hooks, manifests, err := release.SortManifests(texts, nil, release.InstallOrder)
	if err != nil {
		return nil, fail(codeBadYAML, j.request.Path, "%v", err)
	}
	var parts []release.Manifest
	if options.IncludeCRDs {
		for _, crd := range c.CRDObjects() {
			parts = append(parts, release.Manifest{Name: crd.Filename, Content: string(crd.File.Data)})
		}
	}
	parts = append(parts, manifests...)
	for _, hook := range hooks {
		parts = append(parts, release.Manifest{Name: hook.Path, Content: hook.Manifest})
	}
	var objects [][]byte
	for _, part := range parts {
		found, err := j.objectsIn(part.Name, []byte(part.Content))
		if err != nil {
			return nil, err
		}
		if objects = append(objects, found...); len(objects) > j.limits.MaxObjects {
			break
		}
	}
	return objects, nil
}

// renderValues is the scope of the templates: values over defaults, checked by their schemas,
// release and capabilities.
func (j *job) renderValues(c *chart.Chart, options *ChartOptions) (common.Values, error) {
	given, err := loader.LoadValues(bytes.NewReader(options.Values))
	if err != nil {
		return nil, fail(codeBadRequest, "", "values: %v", err)
	}
	if err := chartutil.ProcessDependencies(c, given); err != nil {
		return nil, fail(codeBuild, j.request.Path, "dependencies: %v", err)
	}
	capabilities, err := j.capabilities(c, options)
	if err != nil {
		return nil, err
	}
	about := common.ReleaseOptions{
		Name: options.ReleaseName, Namespace: options.Namespace, Revision: 1,
		IsInstall: !options.IsUpgrade, IsUpgrade: options.IsUpgrade,
	}
	// Helm's own schema check would follow a $ref to a disk or to the network: see schema.go.
	values, err := util.ToRenderValuesWithSchemaValidation(c, given, about, capabilities, true)
	if err != nil {
		return nil, fail(codeBuild, j.request.Path, "values: %v", err)
	}
	merged, err := values.Table("Values")
	if err != nil {
		return nil, fail(codeBuild, j.request.Path, "values: %v", err)
	}
	if findings := schemaFindings(c, merged); len(findings) > 0 {
		return nil, fail(codeValuesSchema, j.request.Path, "%s", strings.Join(findings, "\n"))
	}
	values["Capabilities"] = (*scopeCapabilities)(capabilities)
	return values, nil
}

func (j *job) capabilities(c *chart.Chart, options *ChartOptions) (*common.Capabilities, error) {
	capabilities := defaultCapabilities()
	if options.KubeVersion != "" {
		version, err := common.ParseKubeVersion(options.KubeVersion)
		if err != nil {
			return nil, fail(codeBadRequest, "", "kubeVersion %q: %v", options.KubeVersion, err)
		}
		capabilities.KubeVersion = *version
	}
	capabilities.APIVersions = append(capabilities.APIVersions, options.APIVersions...)
	wanted, have := c.Metadata.KubeVersion, capabilities.KubeVersion.String()
	if wanted != "" && !chartutil.IsCompatibleRange(wanted, have) {
		return nil, fail(codeTemplate, j.request.Path, "the chart requires Kubernetes %s, this is %s", wanted, have)
	}
	return capabilities, nil
}

// loadChart reads the chart as Helm reads a directory: .helmignore, defaults, subcharts.
func (j *job) loadChart() (*chart.Chart, error) {
	dir := j.request.Path
	if j.files[path.Join(dir, "Chart.yaml")] == nil {
		return nil, fail(codeNoChart, dir, "the directory holds no Chart.yaml")
	}
	archive.MaxDecompressedChartSize = int64(j.limits.MaxInput)
	files, err := j.chartFiles(dir)
	if err != nil {
		return nil, err
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		return nil, fail(codeBuild, dir, "%v", err)
	}
	if version := c.Metadata.APIVersion; version != chart.APIVersionV1 && version != chart.APIVersionV2 {
		return nil, fail(codeBuild, dir, "a chart of apiVersion %s cannot be installed; Helm knows v1 and v2", quote(version))
	}
	if kind := c.Metadata.Type; kind != "" && kind != "application" {
		return nil, fail(codeBuild, dir, "a chart of type %s cannot be installed", quote(kind))
	}
	return c, checkDependencies(dir, c)
}

func (j *job) chartFiles(dir string) ([]*archive.BufferedFile, error) {
	rules := ignore.Empty()
	if data, found := j.files[path.Join(dir, ignore.HelmIgnore)]; found {
		parsed, err := ignore.Parse(bytes.NewReader(data))
		if err != nil {
			return nil, fail(codeBuild, path.Join(dir, ignore.HelmIgnore), "%v", err)
		}
		rules = parsed
	}
	rules.AddDefaults()
	var files []*archive.BufferedFile
	for _, full := range j.below(dir) {
		name := strings.TrimPrefix(full, dir+"/")
		if ignored(rules, name) {
			continue
		}
		if name == "Chart.yaml" || name == "values.yaml" {
			if err := j.checkYAML(full); err != nil {
				return nil, err
			}
		}
		data := bytes.TrimPrefix(j.files[full], []byte("\xEF\xBB\xBF"))
		files = append(files, &archive.BufferedFile{Name: name, Data: data})
	}
	return files, nil
}

// ignored asks the rules about the file and about each directory that holds it.
func ignored(rules *ignore.Rules, name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if rules.Ignore(dir, fileInfo{path.Base(dir), true}) {
			return true
		}
	}
	return rules.Ignore(name, fileInfo{path.Base(name), false})
}

func checkDependencies(dir string, c *chart.Chart) error {
	present := map[string]bool{}
	for _, dependency := range c.Dependencies() {
		present[dependency.Name()] = true
	}
	var missing []string
	for _, wanted := range c.Metadata.Dependencies {
		if !present[wanted.Name] {
			missing = append(missing, wanted.Name)
		}
	}
	if len(missing) > 0 {
		return fail(codeBuild, dir, "Chart.yaml names dependencies that are not in charts/: %s; vendor them into the package", strings.Join(missing, ", "))
	}
	return nil
}

// fileInfo is what .helmignore rules look at.
type fileInfo struct {
	name string
	dir  bool
}

func (f fileInfo) Name() string     { return f.name }
func (fileInfo) Size() int64        { return 0 }
func (fileInfo) ModTime() time.Time { return time.Time{} }
func (f fileInfo) IsDir() bool      { return f.dir }
func (fileInfo) Sys() any           { return nil }
func (f fileInfo) Mode() fs.FileMode {
	if f.dir {
		return fs.ModeDir
	}
	return 0
}
