package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// schemaFindings checks values by values.schema.json of the chart and of each subchart, as Helm
// does, but a schema cannot name another file: Helm would read it from the disk of the engine or
// from the network.
func schemaFindings(c *chart.Chart, values map[string]any) []string {
	var findings []string
	if len(c.Schema) > 0 {
		if err := checkSchema(c.Schema, values); err != nil {
			findings = append(findings, fmt.Sprintf("chart %s: %v", c.Name(), err))
		}
	}
	for _, dependency := range c.Dependencies() {
		raw, given := values[dependency.Name()]
		if !given || raw == nil {
			continue
		}
		scoped, ok := raw.(map[string]any)
		if !ok {
			findings = append(findings, fmt.Sprintf("chart %s: its values must be a mapping, not %T", dependency.Name(), raw))
			continue
		}
		findings = append(findings, schemaFindings(dependency, scoped)...)
	}
	return findings
}

const schemaURL = "mem:///values.schema.json"

func checkSchema(data []byte, values map[string]any) error {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("values.schema.json: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(refusingLoader{})
	if err := compiler.AddResource(schemaURL, document); err != nil {
		return fmt.Errorf("values.schema.json: %w", err)
	}
	schema, err := compiler.Compile(schemaURL)
	if err != nil {
		return fmt.Errorf("values.schema.json: %w", err)
	}
	if tooMuchWork(document, values) {
		return fmt.Errorf("values.schema.json: the check takes more than %d steps; let its parts refer to each other fewer times", maxSchemaWork)
	}
	if err := schema.Validate(values); err != nil {
		_, findings, _ := strings.Cut(err.Error(), "\n")
		return fmt.Errorf("%s", findings)
	}
	return nil
}

type refusingLoader struct{}

func (refusingLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is outside the chart; a schema must be complete in itself", url)
}
