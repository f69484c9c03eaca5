package main

import (
	"crypto/sha256"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
)

// visit reads the kustomization in a directory and everything that it names, before kustomize
// does, and refuses what would leave the tree, reach the network or start a program.
func (j *job) visit(dir string) error {
	if j.builds[dir] > 0 {
		return nil // cycles are kustomize's to report
	}
	if j.builds == nil {
		j.builds = map[string]int{}
	}
	j.builds[dir] = 1
	if j.open++; j.open > maxBuilds {
		return fail(codeTooLarge, dir, "more than %d kustomizations stand on each other; use fewer layers of bases", maxBuilds)
	}
	defer func() { j.open-- }()
	name, err := j.kustomizationIn(dir)
	if err != nil {
		return err
	}
	if err := j.checkYAML(name); err != nil {
		return err
	}
	var k types.Kustomization
	if err := k.Unmarshal(j.files[name]); err != nil {
		return fail(codeBuild, name, "%v", err)
	}
	k.FixKustomization()
	if err := checkEntries(name, &k); err != nil {
		return err
	}
	if len(k.OpenAPI) > 0 {
		j.customSchema = true
	}
	return j.visitRefs(&reference{from: name, dir: dir}, &k)
}

func (j *job) kustomizationIn(dir string) (string, error) {
	var found []string
	for _, base := range konfig.RecognizedKustomizationFileNames() {
		if name := path.Join(dir, base); j.files[name] != nil {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fail(codeNoKust, dir, "the directory holds none of %s", strings.Join(konfig.RecognizedKustomizationFileNames(), ", "))
	}
	return "", fail(codeBuild, dir, "the directory holds several kustomization files: %s", strings.Join(found, ", "))
}

// reference is where a name stands: the file, its directory, and the field.
type reference struct{ from, dir, field string }

// visitRefs walks every field of a kustomization that can name a file or a directory.
func (j *job) visitRefs(at *reference, k *types.Kustomization) error {
	patches := slices.Concat(k.Patches, k.PatchesJson6902)
	var patchFiles, merges, replacements []string
	for _, patch := range patches {
		patchFiles = append(patchFiles, patch.Path)
	}
	for _, patch := range k.PatchesStrategicMerge {
		merges = append(merges, string(patch))
	}
	for _, replacement := range k.Replacements {
		replacements = append(replacements, replacement.Path)
	}
	steps := []struct {
		field string
		names []string
		check func(*reference, string) error
	}{
		{"resources", k.Resources, j.fileOrDir},
		{"components", k.Components, j.fileOrDir},
		{"generators", k.Generators, j.inlineOrFile},
		{"transformers", k.Transformers, j.inlineOrFile},
		{"validators", k.Validators, j.inlineOrFile},
		{"patchesStrategicMerge", merges, j.inlineOrFile},
		{"patches", patchFiles, j.yamlFile},
		{"replacements", replacements, j.yamlFile},
		{"crds", k.Crds, j.crdFile},
		{"configurations", k.Configurations, j.yamlFile},
		{"openapi", []string{k.OpenAPI["path"]}, j.openAPIFile},
		{"configMapGenerator", sourcesOf(k), j.anyFile},
	}
	for _, step := range steps {
		at.field = step.field
		for _, name := range step.names {
			if name == "" {
				continue
			}
			if err := step.check(at, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// sourcesOf lists the files of all generators; an entry may be written key=path.
func sourcesOf(k *types.Kustomization) []string {
	var names []string
	add := func(sources types.KvPairSources) {
		names = append(names, sources.EnvSources...)
		for _, source := range sources.FileSources {
			if _, after, keyed := strings.Cut(source, "="); keyed {
				source = after
			}
			names = append(names, source)
		}
	}
	for _, generator := range k.ConfigMapGenerator {
		add(generator.KvPairSources)
	}
	for _, generator := range k.SecretGenerator {
		add(generator.KvPairSources)
	}
	return names
}

func (j *job) fileOrDir(at *reference, name string) error {
	target, err := j.resolve(at, name)
	if err != nil {
		return err
	}
	if _, isFile := j.files[target]; isFile {
		return j.resourceFile(at, target)
	}
	if len(j.below(target)) == 0 {
		return missing(at, name, target)
	}
	if err := j.visit(target); err != nil {
		return err
	}
	return j.countBuilds(at, target)
}

// resourceFile checks a file of objects and counts them, before kustomize loads them all.
func (j *job) resourceFile(at *reference, name string) error {
	if err := j.checkYAML(name); err != nil {
		return err
	}
	j.resources += checkedFiles[sha256.Sum256(j.files[name])]
	if j.resources > j.limits.MaxObjects {
		return fail(codeTooManyObjects, at.from, "the files that kustomizations name hold more than %d objects, the limit of a render", j.limits.MaxObjects)
	}
	return nil
}

func (j *job) inlineOrFile(at *reference, name string) error {
	if strings.ContainsAny(name, "\n{") {
		return j.checkPlugins(at.from, []byte(name))
	}
	target, err := j.resolve(at, name)
	if err != nil {
		return err
	}
	if data, isFile := j.files[target]; isFile {
		return j.checkPlugins(target, data)
	}
	return j.fileOrDir(at, name)
}

func (j *job) yamlFile(at *reference, name string) error {
	target, err := j.resolve(at, name)
	if err != nil {
		return err
	}
	if _, found := j.files[target]; !found {
		return missing(at, name, target)
	}
	return j.checkYAML(target)
}

func (j *job) anyFile(at *reference, name string) error {
	_, err := j.resolve(at, name)
	return err
}

// missing says why a name leads to nothing: every part of a tree has a top directory of its own, so a
// name that leaves the one it stands in asks for what lies outside the package.
func missing(at *reference, name, target string) error {
	top, _, _ := strings.Cut(at.dir, "/")
	if first, _, _ := strings.Cut(target, "/"); top != "." && first != top {
		return fail(codeOutsideTree, at.from, "%s names %s, which lies outside the package", at.field, quote(name))
	}
	return fail(codeBuild, at.from, "%s names %s, which is not in the tree", at.field, quote(name))
}

// remoteForm matches what kustomize would clone or download: a scheme, `user@host`, `host:path`,
// the well-known hosts without a scheme, a query, a repository suffix.
var remoteForm = regexp.MustCompile(`(?i)://|::|^[^/]+@|^[^/]+:|^(www\.)?(github\.com|gitlab\.com|bitbucket\.org)/|\?|\.git(/|$)|/_git/`)

// resolve turns a name in a kustomization into a path of the tree, or refuses it. A name that looks
// remote is that of a file or folder where there is one; should kustomize think otherwise, it finds
// no git program.
func (j *job) resolve(at *reference, name string) (string, error) {
	if remoteForm.MatchString(name) && (strings.Contains(name, "://") || !j.inTree(path.Join(at.dir, name))) {
		return "", fail(codeRemoteBase, at.from, "%s names %s, which is remote; vendor it into the package", at.field, quote(name))
	}
	if path.IsAbs(name) {
		return "", fail(codeOutsideTree, at.from, "%s names the absolute path %s", at.field, quote(name))
	}
	target := path.Join(at.dir, name)
	if target == ".." || strings.HasPrefix(target, "../") {
		return "", fail(codeOutsideTree, at.from, "%s names %s, which lies outside the tree", at.field, quote(name))
	}
	return target, nil
}

func (j *job) inTree(name string) bool { return len(j.below(name)) > 0 }

// checkedFiles remembers the files that were found well-formed, by content, and how many documents
// they hold: most files of a request are those of the request before.
var checkedFiles = map[[sha256.Size]byte]int{}

const maxCheckedFiles = 4096

// checkYAML refuses what kustomize would misread or choke on: bytes that are no text, duplicate
// keys, exploding aliases, endless nesting.
func (j *job) checkYAML(name string) error {
	sum := sha256.Sum256(j.files[name])
	if _, known := checkedFiles[sum]; known {
		return nil
	}
	nodes, err := j.documents(name, j.files[name])
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if _, err := toJSON(name, node, j.limits.MaxDepth, kustomization); err != nil {
			return err
		}
	}
	if len(checkedFiles) >= maxCheckedFiles {
		clear(checkedFiles)
	}
	checkedFiles[sum] = len(nodes)
	return nil
}

// functionAnnotations ask kustomize to run a container or a program.
var functionAnnotations = []string{"config.kubernetes.io/function", "config.k8s.io/function"}

// checkPlugins refuses a generator or transformer that is not one of kustomize's own.
func (j *job) checkPlugins(name string, data []byte) error {
	nodes, err := j.documents(name, data)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if _, err := toJSON(name, node, j.limits.MaxDepth, kustomization); err != nil {
			return err
		}
		if annotation := functionOf(node); annotation != "" {
			return fail(codePlugin, name, "the annotation %s asks for a container or a program", annotation)
		}
	}
	return nil
}

func functionOf(node *yaml.Node) string {
	annotations := child(child(node, "metadata"), "annotations")
	for _, name := range functionAnnotations {
		if child(annotations, name) != nil {
			return name
		}
	}
	return ""
}

// child is the node under a key of a mapping, or nil.
func child(node *yaml.Node, key string) *yaml.Node {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return resolveAlias(node.Content[i+1])
		}
	}
	return nil
}
