package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func parse(t *testing.T, text string) (value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestReferencesThatLeadBackToThemselves(t *testing.T) {
	for text, circular := range map[string]bool{
		`{"definitions":{"a":{"$ref":"#/definitions/a"}}}`:                                                      true,
		`{"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"}}}`:                       true,
		`{"d":{"a":{"x":{"$ref":"#/d/b/y"}},"b":{"y":{"$ref":"#/d/a/x"}}}}`:                                     true,
		`{"d":{"a~b":{"$ref":"#/d/c~1d"},"c/d":{"$ref":"#/d/a~0b"}}}`:                                           true,
		`{"d":{"a b":{"$ref":"#/d/a%20b"}}}`:                                                                    true,
		`{"d":[{"$ref":"#/d/1"},{"$ref":"#/d/0"}]}`:                                                             true,
		`{"definitions":{"a":{"properties":{"a":{"$ref":"#/definitions/a"}}}}}`:                                 false,
		`{"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"type":"object"},"c":{"$ref":"#/definitions/a"}}}`: false,
		`{"d":{"a":{"$ref":"#/d/gone"},"b":{"$ref":"other.json#/d/b"},"c":{"$ref":"#"}}}`:                       false,
		`{"d":[{"$ref":"#/d/7"},{"$ref":"#/d/-1"},{"$ref":"#/d/x"},{"$ref":3}]}`:                                false,
		`[1,{"$ref":"#/0/a"}]`: false,
	} {
		if found := circularRef(parse(t, text)); (found != "") != circular {
			t.Errorf("%s: found %q", text, found)
		}
	}
}

// chain is a schema of n parts, each of which says something on the next.
func chain(n int, part string) string {
	parts := make([]string, n+1)
	for i := range n {
		parts[i] = fmt.Sprintf(`"d%d":`, i) + strings.ReplaceAll(part, "NEXT", fmt.Sprintf("#/$defs/d%d", i+1))
	}
	parts[n] = fmt.Sprintf(`"d%d":{}`, n)
	return `{"$defs":{` + strings.Join(parts, ",") + `},"$ref":"#/$defs/d0"}`
}

func TestSchemasThatAskForTooMuch(t *testing.T) {
	nested := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for _, c := range []struct {
		schema, value string
		much          bool
	}{
		{chain(40, `{"allOf":[{"$ref":"NEXT"},{"$ref":"NEXT"}]}`), "1", true},
		{chain(40, `{"anyOf":[{"$ref":"NEXT"},{"not":{"$ref":"NEXT"}}]}`), "1", true},
		{chain(40, `{"if":{"$ref":"NEXT"},"then":{"$ref":"NEXT"}}`), "1", true},
		{chain(40, `{"dependentSchemas":{"a":{"$ref":"NEXT"},"b":{"$ref":"NEXT"}}}`), "{}", true},
		{`{"properties":{"a":{"allOf":[{"$ref":"#"},{"$ref":"#"}]}}}`, nested, true},
		{`{"patternProperties":{"a":{"$ref":"#"},"^a":{"$ref":"#"}}}`, nested, true},
		{`{"$anchor":"x","additionalProperties":{"allOf":[{"$ref":"#x"},{"$ref":"#x"}]}}`, nested, true},
		{`{"$id":"http://e.org/s","additionalProperties":{"allOf":[{"$ref":"http://e.org/s"},{"$ref":"http://e.org/s#"}]}}`, nested, true},
		{chain(40, `{"$ref":"NEXT"}`), "1", false},
		{chain(5000, `{"$ref":"NEXT"}`), "1", true},
		{`{"properties":{"a":{"allOf":[{"$ref":"#"},{"$ref":"#"}]}}}`, `{"a":{"a":{"a":{}}}}`, false},
		{`{"items":{"$ref":"#"},"propertyNames":{"pattern":"x"}}`, `[[[[{"a":1}]]]]`, false},
		{`{"$ref":"#"}`, "1", false},
		{`{"allOf":[{"$ref":"#"},{"$ref":"#/allOf/0"}],"type":true}`, "1", false},
		{`true`, "1", false},
	} {
		if much := tooMuchWork(parse(t, c.schema), parse(t, c.value)); much != c.much {
			t.Errorf("%.80s: too much is %v", c.schema, much)
		}
	}
}

func TestTypesThatReferToEachOther(t *testing.T) {
	object := `{"Schema":{"properties":{"kind":{},"apiVersion":{},"metadata":{},"a":{"$ref":"T0"}}}}`
	for text, refused := range map[string]bool{
		`{"A":` + object + `,"T0":{"Schema":{"properties":{"b":{"$ref":"T1"},"c":{"$ref":"T1"}}}}}`: false,
		`{"A":` + object + `,"T0":{"Schema":{"properties":{"b":{"$ref":"T0"}}}}}`:                   true,
		`{"A":` + object + `,"T0":{"Schema":{"properties":{"b":{"$ref":"A"}}}}}`:                    true,
		`{"A":` + object + `,"T1":{"Schema":{"properties":{"b":{"$ref":"T1"}}}}}`:                   false,
		`{"A":` + object + "," + doubling(30) + `}`:                                                 true,
		`{"A":` + object + "," + doubling(8) + `}`:                                                  false,
	} {
		j := &job{files: map[string][]byte{"c.json": []byte(text)}, limits: defaultLimits()}
		if err := j.crdFile(&reference{from: "k", dir: ".", field: "crds"}, "c.json"); (err != nil) != refused {
			t.Errorf("%.90s: %v", text, err)
		}
	}
}

func doubling(n int) string {
	types := make([]string, n)
	for i := range n {
		types[i] = fmt.Sprintf(`"T%d":{"Schema":{"properties":{"a":{"$ref":"T%d"},"b":{"$ref":"T%d"}}}}`, i, i+1, i+1)
	}
	return strings.Join(types, ",")
}
