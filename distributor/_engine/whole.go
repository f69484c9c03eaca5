package main

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// setWhole gives the values at some paths of a JSON document as int64, exactly. Helm reads every number
// of a values file as a float64, and only what a flag such as --set gives as a whole number.
func setWhole(values map[string]any, document []byte, paths [][]string) error {
	if len(paths) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var exact any
	if err := decoder.Decode(&exact); err != nil {
		return fail(codeBadRequest, "", "values: %v", err)
	}
	for _, path := range paths {
		if !setOne(values, exact, path) {
			return fail(codeBadRequest, "", "values: no whole number at %q", path)
		}
	}
	return nil
}

// setOne walks both trees side by side, and puts the exact number where the last step leads.
func setOne(below any, exact any, path []string) bool {
	if len(path) == 0 {
		return false
	}
	var next any
	var put func(any)
	switch known := exact.(type) {
	case map[string]any:
		fields, ok := below.(map[string]any)
		if !ok {
			return false
		}
		next = known[path[0]]
		put = func(value any) { fields[path[0]] = value }
		below = fields[path[0]]
	case []any:
		items, ok := below.([]any)
		index, err := strconv.Atoi(path[0])
		if !ok || err != nil || index < 0 || index >= len(items) || index >= len(known) {
			return false
		}
		next = known[index]
		put = func(value any) { items[index] = value }
		below = items[index]
	default:
		return false
	}
	if len(path) > 1 {
		return setOne(below, next, path[1:])
	}
	number, ok := next.(json.Number)
	if !ok {
		return false
	}
	whole, err := number.Int64()
	if err != nil {
		return false
	}
	put(whole)
	return true
}
