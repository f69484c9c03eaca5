package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
)

func convert(t *testing.T, text string, words dialect) (string, error) {
	t.Helper()
	nodes, err := (&job{limits: defaultLimits()}).documents("a.yaml", []byte(text))
	if err != nil {
		return "", err
	}
	out, err := toJSON("a.yaml", nodes[0], 20, words)
	return string(out), err
}

func TestScalarsFollowTheirReader(t *testing.T) {
	for _, c := range []struct{ text, client, kustomize string }{
		{"yes", "true", `"yes"`},
		{"n", "false", `"n"`},
		{"'on'", `"on"`, `"on"`},
		{"2020-01-01", `"2020-01-01"`, `"2020-01-01T00:00:00Z"`},
		{"0644", "420", "420"},
		{"-0.0", "0", "0"},
		{"{a: , b: ~, c: [{d: }]}", `{"a":null,"b":null,"c":[{"d":null}]}`, `{"a":"","b":null,"c":[{"d":""}]}`},
		{"99999999999999999999", "99999999999999999999", "99999999999999999999"},
		{"12345678.0", "12345678", "12345678"},
		{"{a: 2020-01-02 03:04:05}", `{"a":"2020-01-02 03:04:05"}`, `{"a":"2020-01-02 03:04:05"}`},
		{"{a: !!timestamp 2020-01-02T03:04:05.50Z}", `{"a":"2020-01-02T03:04:05.50Z"}`, `{"a":"2020-01-02T03:04:05.5Z"}`},
	} {
		for words, want := range map[dialect]string{kubernetes: c.client, kustomized: c.kustomize} {
			if got, err := convert(t, "[ "+c.text+" ]", words); err != nil || got != "["+want+"]" {
				t.Errorf("%s: got %s, %v, want [%s]", c.text, got, err, want)
			}
		}
	}
}

func TestWhatIsNoPlainYAMLIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("9", 310):              "310 digits",
		"-" + strings.Repeat("1", 400):        "401 digits",
		"!!python/object [a]":                 "python/object",
		"!custom {a: 1}":                      "!custom",
		"!!omap [a: 1]":                       "!!omap",
		"{k: {<<: !x {a: 1}}}":                "!x",
		"!!float " + strings.Repeat("9", 310): "no number",
	} {
		for _, words := range []dialect{kubernetes, kustomization} {
			if got, err := convert(t, "[ "+text+" ]", words); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%.40s: got %s, %v", text, got, err)
			}
		}
	}
	for _, text := range []string{strings.Repeat("9", 308), `"` + strings.Repeat("9", 400) + `"`, "! [a]", "!!map {a: 1}", "1e999999999", "8e123456"} {
		if _, err := convert(t, "[ "+text+" ]", kubernetes); err != nil {
			t.Errorf("%.40s: %v", text, err)
		}
	}
}

func TestASetIsAMappingToKustomizeAlone(t *testing.T) {
	if got, err := convert(t, "a: !!set {b, c}", kustomized); err != nil || got != `{"a":{"b":"","c":""}}` {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := convert(t, "a: !!set {b, c}", kubernetes); err == nil || !strings.Contains(err.Error(), "!!set") {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestKeysThatAreNoText(t *testing.T) {
	for text, want := range map[string]string{
		"0x1f: a\ntrue: b": `{"0x1f":"a","true":"b"}`,
		"a: {'1': b}":      `{"a":{"1":"b"}}`,
		"a: {!!str 1: b}":  `{"a":{"1":"b"}}`,
		"a: {yes: b}":      `{"a":{"yes":"b"}}`,
	} {
		if got, err := convert(t, text, kustomized); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
	for _, key := range []string{"1", "true", "1.5", "~", "2020-01-02", "0x1f", `!!int "1"`, "!!binary aGk="} {
		if got, err := convert(t, "a: {? "+key+" : b}", kustomized); err == nil || !strings.Contains(err.Error(), "no text") {
			t.Errorf("%s: got %s, %v", key, got, err)
		}
		if _, err := convert(t, "a: {? "+key+" : b}", kustomization); err != nil && key != "!!binary aGk=" {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestRemoteForms(t *testing.T) {
	for name, remote := range map[string]bool{
		"https://example.org/a": true, "git@example.org:a/b": true, "example.org:a/b": true,
		"github.com/a/b": true, "GitHub.com/a/b": true, "git::https://a/b": true, "a?ref=v1": true,
		"../b.git": true, "a/_git/b": true, "ssh://a": true, "file:///a": true,
		"../base": false, "a/b.yaml": false, "github.com.yaml": false, "a/b:c.yaml": false, "x@y/z.yaml": true,
		".gitignore": false, "a.github.com/b": false,
	} {
		if got := remoteForm.MatchString(name); got != remote {
			t.Errorf("%s: remote is %v", name, got)
		}
	}
}

// FuzzDocuments holds the converter to its word: valid JSON or a coded refusal, never a panic.
func FuzzDocuments(f *testing.F) {
	for _, seed := range []string{"a: 1", "&a [*a]", "{<<: {a: 1}}", "? [a]\n: b", "!!binary aGk=", "- ~\n- .nan"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		nodes, err := (&job{limits: defaultLimits()}).documents("a.yaml", []byte(text))
		for _, node := range nodes {
			out, err := toJSON("a.yaml", node, 50, kubernetes)
			if err == nil && !json.Valid(out) {
				t.Errorf("%q gives %s", text, out)
			}
		}
		if err != nil && asEngineError(err).Code != codeBadYAML && asEngineError(err).Code != codeTooManyObjects {
			t.Errorf("%q: %v", text, err)
		}
	})
}

func frameOf(header string, blob []byte) []byte {
	frame := binary.BigEndian.AppendUint32(nil, uint32(frameOverhead+len(header)+len(blob)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(header)))
	return append(append(frame, header...), blob...)
}

func TestTheStreamStaysInStepAfterARefusal(t *testing.T) {
	limits := defaultLimits()
	limits.MaxInput = 100
	var in, out bytes.Buffer
	in.Write(frameOf(`{"id":1,"op":"render","files":[{"path":"a","size":200}]}`, make([]byte, 200)))
	in.Write(frameOf(`{"id":2,"op":"render","renderer":"raw","path":".","files":[{"path":"a.yaml","size":5}]}`, []byte("a: [1")))
	in.Write(frameOf(`{"id":3,"op":"nonsense"}`, nil))
	in.Write(frameOf(`{"id":4,"op":"version"}`, nil))
	if err := serve(&in, &out, limits, &watchdog{limits: limits}); err != nil {
		t.Fatal(err)
	}
	next := func() (answer Answer) {
		header := int(binary.BigEndian.Uint32(out.Next(8)[4:]))
		if err := json.Unmarshal(out.Next(header), &answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	for i, want := range []string{codeTooLarge, codeBadYAML, codeBadRequest, ""} {
		if begun := next(); !begun.Begun {
			t.Errorf("answer %d comes without a begun frame", i+1)
		}
		answer := next()
		if answer.ID != int64(i+1) || answer.OK != (want == "") || (want != "" && answer.Error.Code != want) {
			t.Errorf("answer %d: %+v %+v", i+1, answer, answer.Error)
		}
	}
}

func TestASchemaCannotNameAnotherFile(t *testing.T) {
	for _, ref := range []string{"file:///etc/hostname", "https://example.org/s.json", "other.json", "urn:x"} {
		err := checkSchema([]byte(`{"properties":{"a":{"$ref":"`+ref+`"}}}`), map[string]any{"a": 1})
		if err == nil || !strings.Contains(err.Error(), "outside the chart") {
			t.Errorf("%s: %v", ref, err)
		}
	}
}
