package main

import (
	"bytes"
	_ "unsafe" // for the linkname below

	"sigs.k8s.io/kustomize/api/builtins"
	"sigs.k8s.io/kustomize/api/resmap"
)

// transformerFactories is kustomize's table of its own transformers, reached as that of the
// generators: see generatorFactories.
//
//go:linkname transformerFactories sigs.k8s.io/kustomize/api/internal/plugins/builtinhelpers.TransformerFactories
var transformerFactories map[int]func() resmap.TransformerPlugin

func init() {
	for kind, factory := range transformerFactories {
		if _, labels := factory().(*builtins.LabelTransformerPlugin); labels {
			transformerFactories[kind] = func() resmap.TransformerPlugin { return &labelTransformer{} }
			return
		}
	}
	panic("this release of kustomize has no transformer for labels")
}

// labelTransformer is kustomize's own. Each kustomization with `labels` gets one more of them, for
// `commonLabels`, with every place where those would go and, mostly, none to put there: reading the
// places is a twentieth of a render.
type labelTransformer struct {
	builtins.LabelTransformerPlugin
}

// Config reads the configuration, unless there is nothing in it.
func (t *labelTransformer) Config(helpers *resmap.PluginHelpers, config []byte) error {
	if withoutLabels(config) {
		return nil
	}
	return t.LabelTransformerPlugin.Config(helpers, config)
}

// withoutLabels says whether this is the text that kustomize writes for no labels. What a person writes
// begins with an apiVersion and is read as it always was.
func withoutLabels(config []byte) bool {
	return bytes.HasPrefix(config, []byte("FieldSpecs:\n")) && bytes.HasSuffix(config, []byte("\nLabels: null\n"))
}
