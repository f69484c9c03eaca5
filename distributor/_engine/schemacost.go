package main

import "strings"

// maxSchemaWork bounds the steps of checking values by a schema. A schema of forty lines can ask for
// 2^40: each of its parts referring twice to the next.
const maxSchemaWork = 200_000

// maxSchemaRefs bounds the references that stand on each other, and so the stack.
const maxSchemaRefs = 1000

// schemaWork follows a schema over a value as a validator does and counts the steps.
type schemaWork struct {
	document any
	named    map[string]any // schemas by $id and $anchor
	steps    int
	open     map[schemaPlace]bool
	depth    int
}

// schemaPlace is one schema at one value; the value is told by its depth.
type schemaPlace struct {
	ref   string
	depth int
}

// tooMuchWork says whether the check of the value would take more steps than a render may.
func tooMuchWork(document, value any) bool {
	work := &schemaWork{document: document, named: map[string]any{}, open: map[schemaPlace]bool{}}
	work.collectNames(document)
	work.visit(document, value)
	return work.steps > maxSchemaWork
}

func (w *schemaWork) collectNames(value any) {
	switch value := value.(type) {
	case map[string]any:
		for _, key := range []string{"$anchor", "$dynamicAnchor"} {
			if name, is := value[key].(string); is {
				w.named["#"+name] = value
			}
		}
		if id, is := value["$id"].(string); is {
			w.named[strings.TrimSuffix(id, "#")] = value
		}
		for _, inner := range value {
			w.collectNames(inner)
		}
	case []any:
		for _, inner := range value {
			w.collectNames(inner)
		}
	}
}

// Keywords by what they apply their schemas to.
var (
	sameValue = []string{"allOf", "anyOf", "oneOf", "not", "if", "then", "else"}
	eachItem  = []string{"items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"}
	eachField = []string{"additionalProperties", "unevaluatedProperties"}
	byPattern = []string{"patternProperties"}
)

func (w *schemaWork) visit(schema, value any) {
	if w.steps++; w.steps > maxSchemaWork {
		return
	}
	switch schema := schema.(type) {
	case []any: // the list under allOf and its like, or the items of a tuple
		for _, part := range schema {
			w.visit(part, value)
		}
	case map[string]any:
		for _, key := range []string{"$ref", "$dynamicRef", "$recursiveRef"} {
			if ref, is := schema[key].(string); is {
				w.follow(ref, value)
			}
		}
		for _, key := range sameValue {
			if part, is := schema[key]; is {
				w.visit(part, value)
			}
		}
		for _, key := range []string{"dependentSchemas", "dependencies"} {
			w.visitAll(schema[key], value)
		}
		w.visitInside(schema, value)
	}
}

// visitInside applies what a schema says on the parts of a value.
func (w *schemaWork) visitInside(schema map[string]any, value any) {
	w.depth++
	defer func() { w.depth-- }()
	switch value := value.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		for name, inner := range value {
			if part, is := properties[name]; is {
				w.visit(part, inner)
			}
			for _, key := range eachField {
				w.visit(schema[key], inner)
			}
			for _, key := range byPattern {
				w.visitAll(schema[key], inner)
			}
		}
		if part, is := schema["propertyNames"]; is {
			for range value {
				w.visit(part, "")
			}
		}
	case []any:
		for _, inner := range value {
			for _, key := range eachItem {
				if part, is := schema[key]; is {
					w.visit(part, inner)
				}
			}
		}
	}
}

func (w *schemaWork) visitAll(parts, value any) {
	if parts, is := parts.(map[string]any); is {
		for _, part := range parts {
			w.visit(part, value)
		}
	}
}

// follow goes to the schema that a reference names. One that leads back to itself at the same value
// is the validator's to report.
func (w *schemaWork) follow(ref string, value any) {
	target := lookup(w.document, ref)
	if named, is := w.named[strings.TrimSuffix(ref, "#")]; is {
		target = named
	}
	place := schemaPlace{ref, w.depth}
	if target == nil || w.open[place] {
		return
	}
	if len(w.open) > maxSchemaRefs {
		w.steps = maxSchemaWork + 1
		return
	}
	w.open[place] = true
	defer delete(w.open, place)
	w.visit(target, value)
}
