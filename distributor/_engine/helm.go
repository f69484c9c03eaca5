package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path"
	"slices"
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
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	release "helm.sh/helm/v4/pkg/release/v1/util"
)

// helm gives the objects of `helm template`, in its order: CRDs when asked for, the manifests in
// install order, then every hook.
func (j *job) helm() ([][]byte, error) {
	options := j.request.Chart
	if options == nil {
		return nil, fail(codeBadRequest, "", "the helm renderer needs chart options")
	}
	if err := chartutil.ValidateReleaseName(options.ReleaseName); err != nil {
		return nil, fail(codeBuild, j.request.Path, "release name %s: %v", quote(options.ReleaseName), err)
	}
	values, err := loader.LoadValues(bytes.NewReader(options.Values))
	if err != nil {
		return nil, fail(codeBadRequest, "", "values: %v", err)
	}
	if err := setWhole(values, options.Values, options.Whole); err != nil {
		return nil, err
	}
	output, err := j.inflate(j.request.Path, options, values)
	if err != nil {
		return nil, err
	}
	var objects [][]byte
	for _, part := range output.parts() {
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

// inflated is what a chart gives: texts, each of one document or, for CRDs, of one file.
type inflated struct {
	crds, manifests []release.Manifest
	hooks           []*releasev1.Hook
}

func (i *inflated) parts() []release.Manifest {
	parts := slices.Concat(i.crds, i.manifests)
	for _, hook := range i.hooks {
		parts = append(parts, release.Manifest{Name: hook.Path, Content: hook.Manifest})
	}
	return parts
}

// inflate renders the chart in a directory with the values given, over its own.
func (j *job) inflate(dir string, options *ChartOptions, given map[string]any) (*inflated, error) {
	c, err := j.loadChart(dir)
	if err != nil {
		return nil, err
	}
	values, err := renderValues(dir, c, options, given)
	if err != nil {
		return nil, err
	}
	var pure purity
	engine := helmengine.Engine{CustomTemplateFuncs: pure.funcs()}
	texts, err := engine.Render(c, values)
	if impure := pure.verdict(dir, err); impure != nil {
		return nil, impure
	}
	if err != nil {
		return nil, fail(codeTemplate, dir, "%v", err)
	}
	if err := j.checkTexts(dir, texts); err != nil {
		return nil, err
	}
	hooks, manifests, err := release.SortManifests(texts, nil, release.InstallOrder)
	if err != nil {
		return nil, fail(codeBadYAML, dir, "%v", err)
	}
	output := &inflated{manifests: manifests, hooks: hooks}
	if options.IncludeCRDs {
		for _, crd := range c.CRDObjects() {
			output.crds = append(output.crds, release.Manifest{Name: crd.Filename, Content: string(crd.File.Data)})
		}
	}
	return output, nil
}

// checkTexts drops the notes and bounds what the templates wrote.
func (j *job) checkTexts(dir string, texts map[string]string) error {
	size := 0
	for name, text := range texts {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(texts, name)
			continue
		}
		if size += len(text); size > j.limits.MaxOutput {
			return fail(codeTooLarge, dir, "the templates write more than %d bytes", j.limits.MaxOutput)
		}
		if err := checkText(name, []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// renderValues is the scope of the templates: values over defaults, checked by their schemas,
// release and capabilities.
func renderValues(dir string, c *chart.Chart, options *ChartOptions, given map[string]any) (common.Values, error) {
	if err := chartutil.ProcessDependencies(c, given); err != nil {
		return nil, fail(codeBuild, dir, "dependencies: %v", err)
	}
	capabilities, err := chartCapabilities(dir, c, options)
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
		return nil, fail(codeBuild, dir, "values: %v", err)
	}
	merged, err := values.Table("Values")
	if err != nil {
		return nil, fail(codeBuild, dir, "values: %v", err)
	}
	if findings := schemaFindings(c, merged); len(findings) > 0 {
		return nil, fail(codeValuesSchema, dir, "%s", strings.Join(findings, "\n"))
	}
	values["Capabilities"] = (*scopeCapabilities)(capabilities)
	return values, nil
}

func chartCapabilities(dir string, c *chart.Chart, options *ChartOptions) (*common.Capabilities, error) {
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
		return nil, fail(codeTemplate, dir, "the chart requires Kubernetes %s, this is %s", wanted, have)
	}
	return capabilities, nil
}

// loadChart reads the chart as Helm reads a directory: .helmignore, defaults, subcharts.
func (j *job) loadChart(dir string) (*chart.Chart, error) {
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
	sortSubcharts(c)
	steadyChartFiles(c)
	if version := c.Metadata.APIVersion; version != chart.APIVersionV1 && version != chart.APIVersionV2 {
		return nil, fail(codeBuild, dir, "a chart of apiVersion %s cannot be installed; Helm knows v1 and v2", quote(version))
	}
	if kind := c.Metadata.Type; kind != "" && kind != "application" {
		return nil, fail(codeBuild, dir, "a chart of type %s cannot be installed", quote(kind))
	}
	return c, checkDependencies(dir, c)
}

// sortSubcharts puts the subcharts into a fixed order, which Helm loads in that of a map: CRDs follow
// it, and the one that wins where two have one name.
func sortSubcharts(c *chart.Chart) {
	subcharts := slices.Clone(c.Dependencies())
	slices.SortFunc(subcharts, func(a, b *chart.Chart) int {
		return cmp.Or(
			strings.Compare(a.Name(), b.Name()),
			strings.Compare(a.Metadata.Version, b.Metadata.Version),
			bytes.Compare(contentOf(a), contentOf(b)),
		)
	})
	c.SetDependencies(subcharts...)
	for _, subchart := range subcharts {
		sortSubcharts(subchart)
	}
}

func contentOf(c *chart.Chart) []byte {
	hash := sha256.New()
	for _, file := range c.Raw {
		fmt.Fprintf(hash, "%s\n%d\n%s", file.Name, len(file.Data), file.Data)
	}
	return hash.Sum(nil)
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
	packed := archives{dir: dir, atMost: int64(j.limits.MaxInput)}
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
		if isPackedChart(full) {
			if err := packed.check(name, j.files[full], 1); err != nil {
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
