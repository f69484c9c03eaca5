package main

import (
	"encoding/json"
	"fmt"
	"path"
	"runtime"
	"runtime/debug"
	"strings"
)

// Request is the header of a request frame.
type Request struct {
	ID       int64           `json:"id"`
	Op       string          `json:"op"`
	Files    []FileHead      `json:"files"`
	Renderer string          `json:"renderer"`
	Path     string          `json:"path"`
	Layers   []string        `json:"layers"`
	Patches  json.RawMessage `json:"patches"`
	Chart    *ChartOptions   `json:"chart"`
}

// FileHead names one file of the request; its bytes stand in the blob, in the same order.
type FileHead struct {
	Path string `json:"path"`
	Size int    `json:"size"`
}

// ChartOptions are what `helm template` takes as flags.
type ChartOptions struct {
	ReleaseName string          `json:"releaseName"`
	Namespace   string          `json:"namespace"`
	KubeVersion string          `json:"kubeVersion"`
	APIVersions []string        `json:"apiVersions"`
	Values      json.RawMessage `json:"values"`
	// Whole are paths to values that are int64 as a flag gives them, and not float64 as a file does.
	Whole       [][]string `json:"whole"`
	IncludeCRDs bool       `json:"includeCrds"`
	IsUpgrade   bool       `json:"isUpgrade"`
}

// Answer is the header of an answer frame. A frame with begun comes before the answer to a render:
// a caller whose worker died knows from it whether the render had anything to do with that.
type Answer struct {
	ID      int64        `json:"id"`
	Begun   bool         `json:"begun,omitempty"`
	OK      bool         `json:"ok"`
	Error   *engineError `json:"error,omitempty"`
	Version *Version     `json:"version,omitempty"`
	Objects []int        `json:"objects"`
}

// Version names the parts whose change may change a render.
type Version struct {
	Engine    string `json:"engine"`
	Kustomize string `json:"kustomize"`
	Helm      string `json:"helm"`
	Go        string `json:"go"`
	// Sandbox is no version: what the system enforces on this process.
	Sandbox string `json:"sandbox"`
}

// handle performs one request. A panic in a library is an answer, never the end of the process.
func handle(request Request, blob []byte, limits Limits, answer *Answer) (objects [][]byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			objects, err = nil, fail(codeInternal, request.Path, "the renderer panicked: %v", r)
		}
	}()
	switch request.Op {
	case "version":
		answer.Version = version()
		return nil, nil
	case "render":
		files, err := openFiles(request.Files, blob)
		if err != nil {
			return nil, err
		}
		job := job{request: request, files: files, limits: limits}
		return job.render()
	default:
		return nil, fail(codeBadRequest, "", "unknown op %q", request.Op)
	}
}

func version() *Version {
	v := &Version{Engine: engineVersion(), Go: runtime.Version(), Sandbox: strings.Join(protection, " ")}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, module := range info.Deps {
		switch module.Path {
		case "sigs.k8s.io/kustomize/api":
			v.Kustomize = module.Version
		case "helm.sh/helm/v4":
			v.Helm = module.Version
		}
	}
	return v
}

// openFiles cuts the blob into files and refuses names that are not plain paths inside the tree.
func openFiles(heads []FileHead, blob []byte) (map[string][]byte, error) {
	files := make(map[string][]byte, len(heads))
	for _, head := range heads {
		if err := checkPath(head.Path); err != nil {
			return nil, err
		}
		if _, twice := files[head.Path]; twice {
			return nil, fail(codeBadRequest, head.Path, "the file is given twice")
		}
		if head.Size < 0 || head.Size > len(blob) {
			return nil, fail(codeBadRequest, head.Path, "the frame ends inside this file")
		}
		files[head.Path], blob = blob[:head.Size:head.Size], blob[head.Size:]
	}
	if len(blob) != 0 {
		return nil, fail(codeBadRequest, "", "%d bytes belong to no file", len(blob))
	}
	return files, nil
}

// checkPath accepts a clean relative path below the root of the file map.
func checkPath(name string) error {
	switch {
	case name == "", path.IsAbs(name), strings.ContainsAny(name, "\x00\\"):
		return fail(codeOutsideTree, name, "%s is not a relative path", quote(name))
	case name == "..", strings.HasPrefix(name, "../"):
		return fail(codeOutsideTree, name, "%s leaves the tree", quote(name))
	case path.Clean(name) != name:
		return fail(codeOutsideTree, name, "%s is not in its shortest form", quote(name))
	}
	return nil
}

func quote(s string) string { return fmt.Sprintf("%q", s) }
