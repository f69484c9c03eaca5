package main

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
	"text/template"
	_ "unsafe" // for the linkname below

	"github.com/Masterminds/sprig/v3"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	"sigs.k8s.io/kustomize/api/builtins"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/kio"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/kustomize/kyaml/yaml/merge2"
	"sigs.k8s.io/yaml"
)

// generatorFactories is kustomize's table of its own generators. The one for charts starts the helm
// program, which a worker cannot; ours renders the chart here, at the same place in kustomize's
// order, so that prefixes, namespaces, patches and origins come out as if helm had run. The table is
// not exported: a release of kustomize that moves it fails at the link, one that changes it in init.
//
//go:linkname generatorFactories sigs.k8s.io/kustomize/api/internal/plugins/builtinhelpers.GeneratorFactories
var generatorFactories map[int]func() resmap.GeneratorPlugin

// inflating is the job that kustomize works for: generators are made by functions without arguments.
var inflating *job

func init() {
	for kind, factory := range generatorFactories {
		if _, charts := factory().(*builtins.HelmChartInflationGeneratorPlugin); charts {
			generatorFactories[kind] = func() resmap.GeneratorPlugin { return &chartGenerator{job: inflating} }
			return
		}
	}
	panic("this release of kustomize has no generator for charts")
}

// Ways to put valuesInline and the values file together.
const (
	valuesOverride = "override"
	valuesMerge    = "merge"
	valuesReplace  = "replace"
)

// chartGenerator is an entry of helmCharts, or a generator of kind HelmChartInflationGenerator. The
// embedded types carry the fields of its configuration.
type chartGenerator struct {
	types.HelmGlobals
	types.HelmChart
	job     *job
	helpers *resmap.PluginHelpers
	dir     string // of the kustomization, in the tree
}

// String keeps the values of the chart out of kustomize's messages.
func (g *chartGenerator) String() string { return "chart " + g.Name }

// Config reads the entry and refuses what cannot be rendered from the tree alone.
func (g *chartGenerator) Config(helpers *resmap.PluginHelpers, config []byte) error {
	g.helpers = helpers
	if err := yaml.Unmarshal(config, g); err != nil {
		return err
	}
	g.dir = strings.TrimPrefix(strings.TrimPrefix(helpers.Loader().Root(), treeDir), "/")
	if g.dir == "" {
		g.dir = "."
	}
	if g.Name == "" {
		return fail(codeBuild, g.dir, "an entry of helmCharts has no name")
	}
	if g.ChartHome == "" {
		g.ChartHome = types.HelmDefaultHome
	}
	if g.ValuesMerge == "" {
		g.ValuesMerge = valuesOverride
	}
	if modes := []string{valuesMerge, valuesOverride, valuesReplace}; !slices.Contains(modes, g.ValuesMerge) {
		return fail(codeBuild, g.dir, "valuesMerge of the chart %s must be one of %s", quote(g.Name), strings.Join(modes, ", "))
	}
	return nil
}

// Generate renders the chart as `helm template` does and reads the text as kustomize does.
func (g *chartGenerator) Generate() (resmap.ResMap, error) {
	chartDir, err := g.chartDir()
	if err != nil {
		return nil, err
	}
	values, err := g.values(chartDir)
	if err != nil {
		return nil, err
	}
	options, err := g.options()
	if err != nil {
		return nil, err
	}
	output, err := g.job.inflate(chartDir, options, values)
	if err != nil {
		return nil, err
	}
	text, err := g.print(output)
	if err != nil {
		return nil, err
	}
	resources, err := g.resources(text)
	if err != nil {
		return nil, err
	}
	for _, resource := range resources.Resources() {
		// The namespace transformer treats objects of charts in a way of its own.
		if err := resource.PipeE(kyaml.SetAnnotation(konfig.HelmGeneratedAnnotation, "true")); err != nil {
			return nil, err
		}
	}
	return resources, nil
}

// chartDir is the folder of the chart in the tree; kustomize would pull a chart that is not there.
func (g *chartGenerator) chartDir() (string, error) {
	home := g.ChartHome
	if g.Version != "" && g.Repo != "" {
		home = path.Join(home, g.Name+"-"+g.Version) // where kustomize puts what it pulled
	}
	dir, err := g.job.resolve(&reference{from: g.dir, dir: g.dir, field: "helmCharts"}, path.Join(home, g.Name))
	if err != nil {
		return "", err
	}
	if len(g.job.below(dir)) > 0 && g.job.files[dir] == nil {
		return dir, nil
	}
	if g.Repo != "" {
		return "", fail(codeRemoteBase, g.dir, "helmCharts fetches %s from %s; vendor the chart into %s", quote(g.Name), g.Repo, dir)
	}
	return "", fail(codeNoChart, g.dir, "helmCharts names the chart %s, and there is none in %s", quote(g.Name), dir)
}

// options are the flags that kustomize gives to `helm template`.
func (g *chartGenerator) options() (*ChartOptions, error) {
	options := &ChartOptions{
		ReleaseName: g.ReleaseName, Namespace: g.Namespace, KubeVersion: g.KubeVersion, IncludeCRDs: g.IncludeCRDs,
	}
	if options.Namespace == "" {
		options.Namespace = "default"
	}
	for _, versions := range g.ApiVersions {
		options.APIVersions = append(options.APIVersions, strings.Split(versions, ",")...)
	}
	switch {
	case g.NameTemplate != "" && g.ReleaseName != "":
		return nil, fail(codeBuild, g.dir, "the chart %s has a releaseName and a nameTemplate; Helm takes one of them", quote(g.Name))
	case g.NameTemplate != "":
		name, err := g.templatedName()
		if err != nil {
			return nil, err
		}
		options.ReleaseName = name
	case g.ReleaseName == "":
		options.ReleaseName = "release-name" // what Helm takes, although it is asked to generate one
	}
	if err := chartutil.ValidateReleaseName(options.ReleaseName); err != nil {
		return nil, fail(codeBuild, g.dir, "release name %s: %v", quote(options.ReleaseName), err)
	}
	return options, nil
}

func (g *chartGenerator) templatedName() (string, error) {
	var pure purity
	functions := sprig.TxtFuncMap()
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		functions[name] = func(...any) (string, error) {
			return "", pure.refuse(name, "reads the machine; write the name out")
		}
	}
	parsed, err := template.New("nameTemplate").Funcs(functions).Funcs(pure.funcs()).Parse(g.NameTemplate)
	if err != nil {
		return "", fail(codeTemplate, g.dir, "%v", err)
	}
	var name strings.Builder
	err = parsed.Execute(&name, nil)
	if impure := pure.verdict(g.dir, err); impure != nil {
		return "", impure
	}
	if err != nil {
		return "", fail(codeTemplate, g.dir, "%v", err)
	}
	return name.String(), nil
}

// values are the values file with valuesInline, then each additional file over them.
func (g *chartGenerator) values(chartDir string) (map[string]any, error) {
	first, err := g.firstValues(chartDir)
	if err != nil {
		return nil, err
	}
	texts := [][]byte{first}
	for _, name := range g.AdditionalValuesFiles {
		text, err := g.load("additionalValuesFiles", name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	values := map[string]any{}
	for _, text := range texts {
		layer, err := loader.LoadValues(bytes.NewReader(text))
		if err != nil {
			return nil, fail(codeBuild, g.dir, "values of the chart %s: %v", quote(g.Name), err)
		}
		values = loader.MergeMaps(values, layer)
	}
	return values, nil
}

func (g *chartGenerator) firstValues(chartDir string) ([]byte, error) {
	if len(g.ValuesInline) > 0 && g.ValuesMerge == valuesReplace {
		return yaml.Marshal(g.ValuesInline)
	}
	text, err := g.valuesFile(chartDir)
	if err != nil || len(g.ValuesInline) == 0 {
		return text, err
	}
	file, err := kyaml.Parse(string(text))
	if err != nil {
		return nil, fail(codeBuild, g.dir, "the values file of the chart %s: %v", quote(g.Name), err)
	}
	inline, err := kyaml.FromMap(g.ValuesInline)
	if err != nil {
		return nil, fail(codeBuild, g.dir, "valuesInline of the chart %s: %v", quote(g.Name), err)
	}
	winner, loser := inline, file
	if g.ValuesMerge == valuesMerge {
		winner, loser = file, inline
	}
	merged, err := merge2.Merge(winner, loser.Copy(), kyaml.MergeOptions{})
	if err != nil {
		return nil, fail(codeBuild, g.dir, "valuesInline of the chart %s: %v", quote(g.Name), err)
	}
	values, err := merged.Map()
	if err != nil {
		return nil, fail(codeBuild, g.dir, "valuesInline of the chart %s: %v", quote(g.Name), err)
	}
	return yaml.Marshal(values)
}

func (g *chartGenerator) valuesFile(chartDir string) ([]byte, error) {
	if g.ValuesFile != "" {
		return g.load("valuesFile", g.ValuesFile)
	}
	name := path.Join(chartDir, "values.yaml")
	data, err := g.helpers.Loader().Load(treeDir + "/" + name)
	if err != nil {
		return nil, fail(codeBuild, g.dir, "the chart %s has no values.yaml below the kustomization; name a valuesFile", quote(g.Name))
	}
	return data, g.job.checkYAML(name)
}

// load reads a file that the entry names, through kustomize, which keeps it below the kustomization.
func (g *chartGenerator) load(field, name string) ([]byte, error) {
	target, err := g.job.resolve(&reference{from: g.dir, dir: g.dir, field: field}, name)
	if err != nil {
		return nil, err
	}
	data, err := g.helpers.Loader().Load(name)
	if err != nil {
		return nil, err
	}
	return data, g.job.checkYAML(target)
}

// print writes what `helm template` prints, after the checks that every text of a chart passes.
func (g *chartGenerator) print(output *inflated) ([]byte, error) {
	var text bytes.Buffer
	if g.SkipHooks {
		output.hooks = nil
	}
	if g.SkipTests {
		output.hooks = slices.DeleteFunc(output.hooks, func(hook *releasev1.Hook) bool {
			return slices.Contains(hook.Events, releasev1.HookTest)
		})
	}
	for _, part := range output.parts() {
		nodes, err := g.job.documents(part.Name, []byte(part.Content))
		if err != nil {
			return nil, err
		}
		for _, node := range nodes {
			if _, err := toJSON(part.Name, node, g.job.limits.MaxDepth, kustomization); err != nil {
				return nil, err
			}
		}
		fmt.Fprintf(&text, "---\n# Source: %s\n%s\n", part.Name, part.Content)
	}
	return text.Bytes(), nil
}

// resources parses the text; kustomize falls back to another reader, which forgives more.
func (g *chartGenerator) resources(text []byte) (resmap.ResMap, error) {
	factory := g.helpers.ResmapFactory()
	resources, first := factory.NewResMapFromBytes(text)
	if first == nil {
		return resources, nil
	}
	nodes, err := (&kio.ByteReader{Reader: bytes.NewReader(text), OmitReaderAnnotations: true}).Read()
	if err == nil && len(nodes) > 0 {
		resources, err = factory.NewResMapFromRNodeSlice(nodes)
		if err == nil {
			return resources, nil
		}
	}
	return nil, fail(codeBuild, g.dir, "the output of the chart %s: %v", quote(g.Name), first)
}
