package main

import (
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/resmap"
)

// spy notes what kustomize configures its transformers of labels with.
type spy struct {
	labelTransformer
	seen *[]string
}

func (s *spy) Config(helpers *resmap.PluginHelpers, config []byte) error {
	*s.seen = append(*s.seen, string(config))
	return s.labelTransformer.Config(helpers, config)
}

// labelled builds a Deployment with what a kustomization asks for; gives it and what the spy saw.
func labelled(t *testing.T, asked string) (object string, seen []string) {
	t.Helper()
	for kind, factory := range transformerFactories {
		if _, is := factory().(*labelTransformer); is {
			transformerFactories[kind] = func() resmap.TransformerPlugin { return &spy{seen: &seen} }
			defer func() { transformerFactories[kind] = factory }()
		}
	}
	work := job{limits: defaultLimits(), request: Request{Renderer: "kustomize", Path: "."}, files: map[string][]byte{
		"kustomization.yaml": []byte("resources: [a.yaml]\n" + asked),
		"a.yaml": []byte("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n" +
			"spec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}}}\n"),
	}}
	objects, err := work.render()
	if err != nil || len(objects) != 1 {
		t.Fatalf("%s: %s, %v", asked, objects, err)
	}
	return string(objects[0]), seen
}

func TestKustomizeIsNotAskedToReadPlacesForNoLabels(t *testing.T) {
	object, seen := labelled(t, "labels: [{pairs: {team: blue}}]\n")
	if len(seen) != 2 || withoutLabels([]byte(seen[0])) || !withoutLabels([]byte(seen[1])) {
		t.Errorf("the shortcut no longer meets what kustomize writes: %q", seen)
	}
	if strings.Count(object, `"team":"blue"`) != 1 {
		t.Errorf("got %s", object)
	}
}

func TestLabelsForEveryPlaceAreRead(t *testing.T) {
	object, seen := labelled(t, "commonLabels: {team: blue}\n")
	if len(seen) != 1 || withoutLabels([]byte(seen[0])) || strings.Count(object, `"team":"blue"`) != 3 {
		t.Errorf("got %s of %q", object, seen)
	}
}
