package main

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds the nodes of one document after its aliases are followed: a few hundred bytes of
// nested aliases can stand for billions of nodes.
const maxNodes = 1_000_000

// checkText refuses bytes that cannot be YAML text.
func checkText(name string, data []byte) error {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return fail(codeBadYAML, name, "NUL byte at offset %d", i)
	}
	if !utf8.Valid(data) {
		return fail(codeBadYAML, name, "the file is not UTF-8")
	}
	return nil
}

// documents parses every document of a YAML or JSON file; empty ones are left out. It stops at more
// than a render may give: what is too much need not be read to its end.
func (j *job) documents(name string, data []byte) ([]*yaml.Node, error) {
	if err := checkText(name, data); err != nil {
		return nil, err
	}
	var docs []*yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for read := 0; ; read++ {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, fail(codeBadYAML, name, "%v", err)
		}
		if read >= j.limits.MaxObjects {
			return nil, fail(codeTooManyObjects, name, "the file holds more than %d documents, the limit of a render", j.limits.MaxObjects)
		}
		if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 && doc.Content[0].Tag != "!!null" {
			docs = append(docs, doc.Content[0])
		}
	}
}

// objectsOf turns a parsed document into objects: the document itself, or the items of a List.
func (j *job) objectsOf(name string, node *yaml.Node) ([][]byte, error) {
	if node.Kind != yaml.MappingNode {
		return nil, fail(codeBadYAML, name, "line %d: an object is expected, not %s", node.Line, kindName(node))
	}
	if field(node, "kind") == "List" {
		return j.listItems(name, node)
	}
	if field(node, "kind") == "" || field(node, "apiVersion") == "" {
		return nil, fail(codeBadYAML, name, "line %d: the object has no apiVersion and kind", node.Line)
	}
	object, err := toJSON(name, node, j.limits.MaxDepth, kubernetes)
	if err != nil {
		return nil, err
	}
	return [][]byte{object}, nil
}

func (j *job) listItems(name string, list *yaml.Node) ([][]byte, error) {
	// The whole list is converted once first: an item may hold an alias to an anchor outside it.
	if _, err := toJSON(name, list, j.limits.MaxDepth, kubernetes); err != nil {
		return nil, err
	}
	var objects [][]byte
	for i := 0; i+1 < len(list.Content); i += 2 {
		if list.Content[i].Value != "items" {
			continue
		}
		for _, item := range list.Content[i+1].Content {
			found, err := j.objectsOf(name, resolveAlias(item))
			if err != nil {
				return nil, err
			}
			objects = append(objects, found...)
		}
	}
	return objects, nil
}

// field is the string under a key of a mapping, or "".
func field(node *yaml.Node, key string) string {
	for i := 0; i+1 < len(node.Content); i += 2 {
		value := resolveAlias(node.Content[i+1])
		if node.Content[i].Value == key && value.Kind == yaml.ScalarNode && value.Tag == "!!str" {
			return value.Value
		}
	}
	return ""
}

func resolveAlias(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode && node.Alias != nil {
		node = node.Alias
	}
	return node
}

func kindName(node *yaml.Node) string {
	switch node.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	default:
		return "a plain value"
	}
}
