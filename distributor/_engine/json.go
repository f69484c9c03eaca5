package main

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// converter writes a YAML node as compact JSON with sorted keys. It works on nodes, not on Go
// values: integers of any size stay exact, duplicate keys are seen, and aliases are counted.
type converter struct {
	name     string
	maxDepth int
	dialect  dialect
	nodes    int
	flow     bool                // inside of braces or brackets
	open     map[*yaml.Node]bool // aliases that are being followed: an anchor may contain itself
}

// dialect says whose reading of YAML counts.
type dialect int

const (
	// kubernetes: plain words such as yes, on and n are booleans (YAML 1.1), as they are to clients
	// that read a manifest to apply it.
	kubernetes dialect = iota
	// kustomization: such words are text (YAML 1.2), as they are to kustomize when it reads a file.
	kustomization
	// kustomized: what kustomize gives. It writes each object and reads it again, which is less than
	// it took in: a key below the top must be text, and what stands between braces may change.
	kustomized
)

func toJSON(name string, node *yaml.Node, maxDepth int, words dialect) ([]byte, error) {
	c := &converter{name: name, maxDepth: maxDepth, dialect: words}
	return c.value(make([]byte, 0, 1024), node, 0)
}

func (c *converter) value(out []byte, node *yaml.Node, depth int) ([]byte, error) {
	c.nodes++
	if c.nodes > maxNodes {
		return nil, fail(codeTooLarge, c.name, "one document holds more than %d values once its aliases are followed", maxNodes)
	}
	if depth > c.maxDepth {
		return nil, fail(codeTooDeep, c.name, "line %d: values are nested deeper than %d", node.Line, c.maxDepth)
	}
	outside := c.flow
	defer func() { c.flow = outside }()
	c.flow = node.Kind != yaml.AliasNode && (c.flow || node.Style&yaml.FlowStyle != 0)
	switch node.Kind {
	case yaml.MappingNode:
		if !c.isMapping(node) {
			return nil, c.unknownTag(node)
		}
		return c.mapping(out, node, depth)
	case yaml.SequenceNode:
		if node.ShortTag() != "!!seq" {
			return nil, c.unknownTag(node)
		}
		return c.sequence(out, node, depth)
	case yaml.AliasNode:
		return c.alias(out, node, depth)
	case yaml.ScalarNode:
		return c.scalar(out, node)
	default:
		return nil, fail(codeBadYAML, c.name, "line %d: not a value", node.Line)
	}
}

// isMapping says whether the tag of a mapping is known. A set is a mapping to nothing for kustomize; the
// clients of Kubernetes refuse it.
func (c *converter) isMapping(node *yaml.Node) bool {
	tag := node.ShortTag()
	return tag == "!!map" || tag == "!!set" && c.dialect != kubernetes
}

func (c *converter) alias(out []byte, node *yaml.Node, depth int) ([]byte, error) {
	if c.open[node.Alias] {
		return nil, fail(codeBadYAML, c.name, "line %d: the anchor %s contains itself", node.Line, quote(node.Value))
	}
	if c.open == nil {
		c.open = map[*yaml.Node]bool{}
	}
	c.open[node.Alias] = true
	defer delete(c.open, node.Alias)
	return c.value(out, node.Alias, depth)
}

func (c *converter) sequence(out []byte, node *yaml.Node, depth int) ([]byte, error) {
	var err error
	out = append(out, '[')
	for i, item := range node.Content {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = c.value(out, item, depth+1); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

// entry is one key of a mapping with the node it stands for.
type entry struct {
	key   string
	value *yaml.Node
}

func (c *converter) mapping(out []byte, node *yaml.Node, depth int) ([]byte, error) {
	entries, err := c.entries(node, 0, depth == 0)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if a.key < b.key {
			return -1
		}
		return 1
	})
	out = append(out, '{')
	for i, e := range entries {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendString(out, e.key), ':')
		if out, err = c.value(out, e.value, depth+1); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// entries are the keys of a mapping, merge keys (`<<`) resolved: a key that stands in the mapping
// itself wins over a merged one, an earlier merged mapping over a later one.
func (c *converter) entries(node *yaml.Node, depth int, top bool) ([]entry, error) {
	if c.nodes++; depth > c.maxDepth || c.nodes > maxNodes {
		return nil, fail(codeTooDeep, c.name, "line %d: merge keys are nested too deep", node.Line)
	}
	result := make([]entry, 0, len(node.Content)/2)
	seen := make(map[string]bool, len(node.Content)/2)
	var merged []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := resolveAlias(node.Content[i])
		if key.Kind == yaml.ScalarNode && key.Tag == "!!merge" {
			merged = append(merged, node.Content[i+1])
			continue
		}
		name, err := c.key(key, top)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, fail(codeBadYAML, c.name, "line %d: the key %s stands twice in one mapping", key.Line, quote(name))
		}
		seen[name] = true
		result = append(result, entry{name, node.Content[i+1]})
	}
	return c.merge(result, seen, merged, depth, top)
}

func (c *converter) merge(result []entry, seen map[string]bool, merged []*yaml.Node, depth int, top bool) ([]entry, error) {
	for len(merged) > 0 {
		source := resolveAlias(merged[0])
		merged = merged[1:]
		switch source.Kind {
		case yaml.SequenceNode:
			merged = append(slices.Clone(source.Content), merged...)
		case yaml.MappingNode:
			if !c.isMapping(source) {
				return nil, c.unknownTag(source)
			}
			entries, err := c.entries(source, depth+1, top)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				if !seen[e.key] {
					seen[e.key] = true
					result = append(result, e)
				}
			}
		default:
			return nil, fail(codeBadYAML, c.name, "line %d: a merge key needs a mapping", source.Line)
		}
		if c.nodes++; c.nodes > maxNodes {
			return nil, fail(codeTooLarge, c.name, "merge keys expand to more than %d values", maxNodes)
		}
	}
	return result, nil
}
