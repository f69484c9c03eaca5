package main

import (
	"fmt"
	"slices"

	"helm.sh/helm/v4/pkg/chart/common"
)

// goRelease is what a template reads as the Go release of Helm: the one that Helm's own release is
// made for, whatever compiled this engine.
const goRelease = "go1.26"

// scopeCapabilities stands in a template's scope for Helm's own: the same fields and methods, but a
// list or mapping that holds it is printed by its content instead of by its address in memory.
type scopeCapabilities common.Capabilities

// Copy keeps Helm's type out of the scope.
func (c *scopeCapabilities) Copy() *scopeCapabilities {
	return (*scopeCapabilities)((*common.Capabilities)(c).Copy())
}

// Format prints what Helm's own prints where it stands alone.
func (c *scopeCapabilities) Format(state fmt.State, verb rune) {
	fmt.Fprintf(state, fmt.FormatString(state, verb), (*common.Capabilities)(c))
}

// defaultCapabilities are Helm's in a fixed order: Helm lists the versions in that of a map.
func defaultCapabilities() *common.Capabilities {
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.APIVersions = slices.Sorted(slices.Values(capabilities.APIVersions))
	capabilities.HelmVersion.GoVersion = goRelease
	return capabilities
}
