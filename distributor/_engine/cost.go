package main

import (
	"encoding/json"
	"net/url"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// Bounds on the work that a few lines can ask for. Without them such a package runs into the limits
// on time and memory, which cannot say what to mend.
const (
	// maxEntries bounds each list of one kustomization: the work grows with the square of some.
	maxEntries = 1000
	// maxBuilds bounds how many kustomizations one render builds; a base counts once for each path
	// that leads to it, as kustomize builds it anew each time.
	maxBuilds = 2000
	// maxCopied bounds the bytes that the copies of one JSON patch add: it is what an API server
	// takes as one object, and a copy of an object into itself doubles it each time.
	maxCopied = 1 << 20
	// maxSchemaSteps bounds the references that one type of a crds file leads to.
	maxSchemaSteps = 10_000
)

func init() { jsonpatch.AccumulatedCopySizeLimit = maxCopied }

// checkEntries refuses a kustomization with more entries than a person writes.
func checkEntries(name string, k *types.Kustomization) error {
	labels := len(k.CommonLabels)
	for _, label := range k.Labels {
		labels += len(label.Pairs)
	}
	fields := len(k.Vars)
	for _, replacement := range k.Replacements {
		for _, target := range replacement.Targets {
			if target != nil {
				fields += len(target.FieldPaths)
			}
		}
	}
	for _, list := range []struct {
		what  string
		count int
	}{
		{"labels", labels},
		{"annotations", len(k.CommonAnnotations)},
		{"patches", len(k.Patches) + len(k.PatchesJson6902) + len(k.PatchesStrategicMerge)},
		{"images", len(k.Images)},
		{"replicas", len(k.Replicas)},
		{"replacements and vars", len(k.Replacements) + fields},
		{"generators", len(k.ConfigMapGenerator) + len(k.SecretGenerator) + len(k.Generators) + len(k.HelmCharts)},
		{"transformers and validators", len(k.Transformers) + len(k.Validators)},
		{"components", len(k.Components)},
		{"crds and configurations", len(k.Crds) + len(k.Configurations)},
	} {
		if list.count > maxEntries {
			return fail(codeTooLarge, name, "the kustomization has %d %s; at most %d are built, split it or generate the objects beforehand", list.count, list.what, maxEntries)
		}
	}
	return nil
}

// countBuilds adds the builds of a kustomization that is used to those of its user.
func (j *job) countBuilds(user *reference, used string) error {
	j.builds[user.dir] += j.builds[used]
	if j.builds[user.dir] > maxBuilds {
		return fail(codeTooLarge, user.from, "%s lead to more than %d builds of kustomizations, as a base is built once for each path to it; use a shared base fewer times", user.field, maxBuilds)
	}
	return nil
}

// openAPIFile refuses a schema whose references go in a circle: kustomize follows them for ever.
func (j *job) openAPIFile(at *reference, name string) error {
	target, err := j.resolve(at, name)
	if err != nil {
		return err
	}
	var document any
	if yaml.Unmarshal(j.files[target], &document) != nil {
		return nil // kustomize reports it
	}
	if ref := circularRef(document); ref != "" {
		return fail(codeBuild, target, "the reference %s of the OpenAPI schema leads back to itself; name a schema with content", quote(ref))
	}
	return nil
}

// circularRef finds a $ref whose target is nothing but a $ref, and so on, back to the first. A schema
// that refers to itself below a property is no such circle.
func circularRef(document any) string {
	next := map[string]string{}
	collectRefs(document, func(ref string) {
		if target, ok := lookup(document, ref).(map[string]any); ok {
			next[ref], _ = target["$ref"].(string)
		}
	})
	done := map[string]bool{}
	for start := range next {
		path := map[string]bool{}
		for ref := start; ref != "" && !done[ref]; ref = next[ref] {
			if path[ref] {
				return ref
			}
			path[ref] = true
		}
		for ref := range path {
			done[ref] = true
		}
	}
	return ""
}

func collectRefs(value any, found func(string)) {
	switch value := value.(type) {
	case map[string]any:
		if ref, is := value["$ref"].(string); is {
			found(ref)
		}
		for _, inner := range value {
			collectRefs(inner, found)
		}
	case []any:
		for _, inner := range value {
			collectRefs(inner, found)
		}
	}
}

// lookup is what a reference within a document (`#/a/b`, RFC 6901 in a fragment) points to, or nil.
func lookup(document any, ref string) any {
	pointer, within := strings.CutPrefix(ref, "#")
	if decoded, err := url.PathUnescape(pointer); err == nil {
		pointer = decoded
	}
	if !within {
		return nil
	}
	for _, token := range strings.Split(pointer, "/")[1:] {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch value := document.(type) {
		case map[string]any:
			document = value[token]
		case []any:
			var index int
			if json.Unmarshal([]byte(token), &index) != nil || index < 0 || index >= len(value) {
				return nil
			}
			document = value[index]
		default:
			return nil
		}
	}
	return document
}

// crdTypes are the types of a file under crds, as far as kustomize follows them.
type crdTypes map[string]struct {
	Schema struct {
		Properties map[string]struct {
			Ref string `json:"$ref"`
		} `json:"properties"`
	} `json:"Schema"`
}

// crdFile refuses a file of types that refer to themselves, or to others too many times over:
// kustomize follows every reference from every object type.
func (j *job) crdFile(at *reference, name string) error {
	if err := j.yamlFile(at, name); err != nil {
		return err
	}
	target, err := j.resolve(at, name)
	if err != nil {
		return err
	}
	var found crdTypes
	if yaml.Unmarshal(j.files[target], &found) != nil {
		return nil // kustomize reports it
	}
	steps := map[string]int{}
	for name, object := range found {
		properties := object.Schema.Properties
		_, kind := properties["kind"]
		_, version := properties["apiVersion"]
		if _, metadata := properties["metadata"]; !kind || !version || !metadata {
			continue
		}
		if found.steps(name, steps) > maxSchemaSteps {
			return fail(codeBuild, target, "the type %s refers to itself, or to more than %d types; cut the references that kustomize need not follow", quote(name), maxSchemaSteps)
		}
	}
	return nil
}

// steps counts the types that one leads to, each as often as it is reached; a circle is endless.
func (c crdTypes) steps(name string, known map[string]int) int {
	if count, is := known[name]; is {
		return count
	}
	known[name] = maxSchemaSteps + 1 // found again on the way down: a circle
	count := 1
	for _, property := range c[name].Schema.Properties {
		if property.Ref != "" && count <= maxSchemaSteps {
			count += c.steps(property.Ref, known)
		}
	}
	known[name] = min(count, maxSchemaSteps+1)
	return known[name]
}
