package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"time"
	_ "time/tzdata" // zones are those of the engine's build, on every machine

	"github.com/Masterminds/sprig/v3"
)

// steadyFuncs are functions of templates that answer by map order, clock, time zone of the machine
// or memory address for some of their inputs. What they answer otherwise is Helm's answer.
func (p *purity) steadyFuncs() template.FuncMap {
	return template.FuncMap{
		"keys":     keys,
		"values":   values,
		"date":     func(layout string, at any) (string, error) { return p.date("date", layout, at, "Local") },
		"htmlDate": func(at any) (string, error) { return p.date("htmlDate", time.DateOnly, at, "Local") },
		"dateInZone": func(layout string, at any, zone string) (string, error) {
			return p.date("dateInZone", layout, at, zone)
		},
		"date_in_zone": func(layout string, at any, zone string) (string, error) {
			return p.date("date_in_zone", layout, at, zone)
		},
		"htmlDateInZone": func(at any, zone string) (string, error) { return p.date("htmlDateInZone", time.DateOnly, at, zone) },
		"durationRound":  p.durationRound,
		"printf":         p.printf,
		"steadyFiles":    useSteadyFiles,
	}
}

// A date without a zone is in UTC, wherever the engine runs.
func init() { time.Local = time.UTC }

// keys are the keys of each mapping, sorted: Helm gives them in the random order of Go's maps.
func keys(dicts ...map[string]any) []string {
	found := []string{}
	for _, dict := range dicts {
		found = append(found, slices.Sorted(maps.Keys(dict))...)
	}
	return found
}

// values are the values of a mapping in the order of their keys, for the same reason.
func values(dict map[string]any) []any {
	found := []any{}
	for _, key := range slices.Sorted(maps.Keys(dict)) {
		found = append(found, dict[key])
	}
	return found
}

// date writes a time. Helm takes the present for whatever it does not know as a time, a number that
// went through YAML among it.
func (p *purity) date(name, layout string, at any, zone string) (string, error) {
	var when time.Time
	switch at := at.(type) {
	case time.Time:
		when = at
	case int64:
		when = time.Unix(at, 0)
	case int:
		when = time.Unix(int64(at), 0)
	case int32:
		when = time.Unix(int64(at), 0)
	default:
		return "", p.refuse(name, "of %T writes the present time; give it a time (toDate) or seconds (int64)", at)
	}
	return when.In(location(zone)).Format(layout), nil
}

// location is the zone of the name, UTC where there is none. Go asks the disk before the zones that
// are compiled in; without a file to open it asks those alone.
func location(zone string) *time.Location {
	found, err := time.UTC, error(nil)
	withoutFiles(func() { found, err = time.LoadLocation(zone) })
	if err != nil {
		return time.UTC
	}
	return found
}

var helmDurationRound = sprig.TxtFuncMap()["durationRound"].(func(any) string)

// durationRound of a time is its distance from the present.
func (p *purity) durationRound(duration any) (string, error) {
	if _, is := duration.(time.Time); is {
		return "", p.refuse("durationRound", "of a time measures it from the present; give it a duration")
	}
	return helmDurationRound(duration), nil
}

// printf is Go's but for what writes an address in memory: %p, and a pointer inside of a value under
// a verb for numbers or Go syntax. The words of %v and %s come from the value behind it.
func (p *purity) printf(format string, args ...any) (string, error) {
	verbs := verbsOf(format)
	for _, arg := range args {
		value := reflect.ValueOf(arg)
		if strings.Contains(verbs, "p") && hasAddress(value) || strings.Trim(verbs, "svqxXtT%") != "" && holdsAddress(value, 0) {
			return "", p.refuse("printf", "%q writes an address in memory; use %%v or toYaml", format)
		}
	}
	return fmt.Sprintf(format, args...), nil
}

// verbsOf are the verbs of a format, and # where a verb has that flag.
func verbsOf(format string) string {
	var verbs strings.Builder
	for rest := format; ; {
		at := strings.IndexByte(rest, '%')
		if at < 0 {
			return verbs.String()
		}
		rest = rest[at+1:]
		end := strings.IndexFunc(rest, func(r rune) bool { return !strings.ContainsRune("+-# 0123456789.*[]", r) })
		if end < 0 {
			return verbs.String()
		}
		if strings.Contains(rest[:end], "#") {
			verbs.WriteByte('#')
		}
		verbs.WriteByte(rest[end])
		rest = rest[end+1:]
	}
}

func hasAddress(value reflect.Value) bool {
	switch value.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return true
	}
	return false
}

// maxAddressDepth bounds the walk: a template can put a mapping into itself.
const maxAddressDepth = 100

// holdsAddress says whether a pointer lies inside a value: Go writes the outermost as what it points
// to, those inside as addresses.
func holdsAddress(value reflect.Value, depth int) bool {
	inside := func(value reflect.Value) bool { return holdsAddress(value, depth+1) }
	switch value.Kind() {
	case reflect.Pointer:
		return !value.IsNil() && (depth > 0 || inside(value.Elem()))
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return true
	case reflect.Interface:
		return depth > maxAddressDepth || inside(value.Elem())
	case reflect.Map:
		for pairs := value.MapRange(); pairs.Next(); {
			if inside(pairs.Value()) {
				return true
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range value.Len() {
			if inside(value.Index(i)) {
				return true
			}
		}
	case reflect.Struct:
		for i := range value.NumField() {
			if inside(value.Field(i)) {
				return true
			}
		}
	}
	return false
}
