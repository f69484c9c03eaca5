package main

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"strings"
)

// sources are what this program was compiled from, dependencies included by go.mod and go.sum.
//
//go:embed *.go go.mod go.sum
var sources embed.FS

// engineVersion names the sources, so that no cache entry outlives a change that nobody thought of
// as one. Tests do not render and so do not count.
func engineVersion() string {
	hasher := sha256.New()
	entries, err := sources.ReadDir(".")
	if err != nil {
		return "unknown: " + err.Error()
	}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		content, err := sources.ReadFile(entry.Name())
		if err != nil {
			return "unknown: " + err.Error()
		}
		fmt.Fprintf(hasher, "%s:%d:", entry.Name(), len(content))
		hasher.Write(content)
	}
	return fmt.Sprintf("%x", hasher.Sum(nil))[:16]
}
