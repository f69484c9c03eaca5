package main

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// oldBools are plain words that YAML 1.1 reads as booleans; the parser follows YAML 1.2 and calls
// them strings.
var oldBools = map[string]bool{
	"y": true, "Y": true, "yes": true, "Yes": true, "YES": true, "on": true, "On": true, "ON": true,
	"n": false, "N": false, "no": false, "No": false, "NO": false, "off": false, "Off": false, "OFF": false,
}

// maxDigits is how long an integer may be. The parser calls one that no float can hold a text, and so
// do the clients of Kubernetes: its author meant a number, or meant to quote it.
const maxDigits = 309

var decimalInt = regexp.MustCompile(`^[-+]?[0-9][0-9_]*$`)

// scalar writes one plain value, typed the way Kubernetes clients type it.
func (c *converter) scalar(out []byte, node *yaml.Node) ([]byte, error) {
	plain := node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0
	switch node.ShortTag() {
	case "!!str":
		if old, is := oldBools[node.Value]; is && plain && c.dialect == kubernetes {
			return strconv.AppendBool(out, old), nil
		}
		if plain && len(node.Value) > maxDigits && decimalInt.MatchString(node.Value) {
			return nil, fail(codeBadYAML, c.name, "line %d: an integer of %d digits; at most %d can be carried, quote it if it is text", node.Line, len(node.Value), maxDigits)
		}
		return appendString(out, node.Value), nil
	case "!!timestamp":
		return appendString(out, c.timestamp(node)), nil
	case "!!merge":
		return appendString(out, node.Value), nil
	case "!!null":
		// What is missing is written as '' between braces.
		if c.flow && node.Value == "" && c.dialect == kustomized {
			return append(out, '"', '"'), nil
		}
		return append(out, "null"...), nil
	case "!!bool":
		return c.boolean(out, node)
	case "!!int", "!!float":
		return c.number(out, node)
	case "!!binary":
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(node.Value), ""))
		if err != nil || !utf8.Valid(raw) {
			return nil, fail(codeBadYAML, c.name, "line %d: !!binary is not base64 of UTF-8 text", node.Line)
		}
		return appendString(out, string(raw)), nil
	default:
		return nil, c.unknownTag(node)
	}
}

func (c *converter) unknownTag(node *yaml.Node) error {
	return fail(codeBadYAML, c.name, "line %d: the tag %s is not known; Kubernetes reads plain YAML only", node.Line, quote(node.ShortTag()))
}

// timestamp is the text as it stands; kustomize reads a time and writes it in full. Between braces a
// colon must be quoted, so that a time of day becomes text before it is read.
func (c *converter) timestamp(node *yaml.Node) string {
	var at time.Time
	quoted := c.flow && node.Style&yaml.TaggedStyle == 0 && strings.Contains(node.Value, ":")
	if c.dialect != kustomized || quoted || node.Decode(&at) != nil {
		return node.Value
	}
	return at.Format(time.RFC3339Nano)
}

func (c *converter) boolean(out []byte, node *yaml.Node) ([]byte, error) {
	switch strings.ToLower(node.Value) {
	case "true", "yes", "on", "y":
		return append(out, "true"...), nil
	case "false", "no", "off", "n":
		return append(out, "false"...), nil
	}
	return nil, fail(codeBadYAML, c.name, "line %d: %s is not a boolean", node.Line, quote(node.Value))
}

// number keeps integers exact, whatever their size; JSON has no infinities.
func (c *converter) number(out []byte, node *yaml.Node) ([]byte, error) {
	text := strings.ReplaceAll(node.Value, "_", "")
	if i, err := strconv.ParseInt(strings.TrimPrefix(text, "+"), 0, 64); err == nil {
		return strconv.AppendInt(out, i, 10), nil
	}
	if u, err := strconv.ParseUint(strings.TrimPrefix(text, "+"), 0, 64); err == nil {
		return strconv.AppendUint(out, u, 10), nil
	}
	if decimalInt.MatchString(text) && len(text) <= maxDigits {
		return append(out, normalInt(text)...), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, fail(codeBadYAML, c.name, "line %d: %s is no number that JSON can carry; quote it if it is text", node.Line, quote(node.Value))
	}
	if f == 0 {
		return append(out, '0'), nil // negative zero is no other number
	}
	encoded, err := json.Marshal(f)
	return append(out, encoded...), err
}

// normalInt drops the sign and zeros that JSON does not allow in front.
func normalInt(text string) string {
	sign := ""
	if text[0] == '-' {
		sign = "-"
	}
	digits := strings.TrimLeft(strings.TrimLeft(text, "+-"), "0")
	if digits == "" {
		return "0"
	}
	return sign + digits
}

// key is the text of a mapping key; keys of other types become the text of their JSON form, as
// Kubernetes clients do. kustomize keeps them as they stand at the top of an object, and fails below.
func (c *converter) key(node *yaml.Node, top bool) (string, error) {
	if node.Kind != yaml.ScalarNode {
		return "", fail(codeBadYAML, c.name, "line %d: a key must be a plain value, not %s", node.Line, kindName(node))
	}
	if tag := node.ShortTag(); c.dialect == kustomized && tag != "!!str" && tag != "!!merge" {
		if top && tag != "!!null" && tag != "!!binary" {
			return node.Value, nil
		}
		return "", fail(codeBadYAML, c.name, "the key %s is no text, which kustomize cannot write; quote it", quote(node.Value))
	}
	encoded, err := c.scalar(nil, node)
	if err != nil {
		return "", err
	}
	if encoded[0] != '"' {
		return string(encoded), nil
	}
	if node.ShortTag() == "!!binary" {
		return "", fail(codeBadYAML, c.name, "line %d: a key must not be binary", node.Line)
	}
	return node.Value, nil
}

const hex = "0123456789abcdef"

// appendString writes a JSON string. Only what JSON demands is escaped.
func appendString(out []byte, s string) []byte {
	out = append(out, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b >= 0x20 && b != '"' && b != '\\' {
			continue
		}
		out = append(out, s[start:i]...)
		switch b {
		case '"', '\\':
			out = append(out, '\\', b)
		case '\n':
			out = append(out, '\\', 'n')
		case '\t':
			out = append(out, '\\', 't')
		case '\r':
			out = append(out, '\\', 'r')
		default:
			out = append(out, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
		}
		start = i + 1
	}
	return append(append(out, s[start:]...), '"')
}
