package main

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// job is one render: the request, its files by path, and what it may cost.
type job struct {
	request Request
	files   map[string][]byte
	limits  Limits
	// customSchema is set when a kustomization brings its own OpenAPI schema: kustomize keeps
	// that in process-wide state, which must not reach the next request.
	customSchema bool
	builds       map[string]int // of each kustomization that was visited, bases included
	open         int            // kustomizations that are being visited
	resources    int            // documents in the files that kustomizations name
}

// render gives the objects of the base, with layers and patches laid over them, as JSON.
func (j *job) render() ([][]byte, error) {
	if err := checkPath(j.request.Path); err != nil {
		return nil, err
	}
	patches, err := j.patches()
	if err != nil {
		return nil, err
	}
	var objects [][]byte
	if len(j.request.Layers) == 0 && len(patches) == 0 {
		objects, err = j.base()
	} else {
		objects, err = j.layered(patches)
	}
	if err != nil {
		return nil, err
	}
	return objects, j.checkOutput(objects)
}

// base renders the path without layers.
func (j *job) base() ([][]byte, error) {
	switch j.request.Renderer {
	case "kustomize":
		return j.kustomize(j.request.Path)
	case "helm":
		return j.helm()
	case "raw":
		return j.raw()
	}
	return nil, fail(codeBadRequest, "", "unknown renderer %q", j.request.Renderer)
}

// layered renders the base as the single resource of a kustomization of our own, so that
// components and patches apply in one run and follow renamed objects.
func (j *job) layered(patches []types.Patch) ([][]byte, error) {
	top := types.Kustomization{Patches: patches}
	extra := map[string][]byte{}
	if j.request.Renderer == "kustomize" {
		if err := j.visit(j.request.Path); err != nil {
			return nil, err
		}
		top.Resources = []string{fromTop(j.request.Path)}
	} else {
		objects, err := j.base()
		if err != nil {
			return nil, err
		}
		if err := j.checkOutput(objects); err != nil {
			return nil, err
		}
		extra["base.yaml"] = bytes.Join(objects, []byte("\n---\n"))
		top.Resources = []string{"base.yaml"}
	}
	for _, layer := range j.request.Layers {
		if err := checkPath(layer); err != nil {
			return nil, err
		}
		if err := j.visit(layer); err != nil {
			return nil, err
		}
		top.Components = append(top.Components, fromTop(layer))
	}
	manifest, err := json.Marshal(top)
	if err != nil {
		return nil, err
	}
	extra["kustomization.yaml"] = manifest
	return j.build(topDir, extra)
}

// patches reads the patch entries of the request. A patch in a file is read here, from the root of
// the tree: kustomize would look for it beside the kustomization, which nobody wrote.
func (j *job) patches() ([]types.Patch, error) {
	if len(j.request.Patches) == 0 {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(j.request.Patches))
	decoder.DisallowUnknownFields()
	var patches []types.Patch
	if err := decoder.Decode(&patches); err != nil {
		return nil, fail(codeBadRequest, "", "patches: %v", err)
	}
	for i := range patches {
		name := patches[i].Path
		if name == "" {
			continue
		}
		if err := checkPath(name); err != nil {
			return nil, err
		}
		data, found := j.files[name]
		if !found {
			return nil, fail(codeBuild, name, "patch %d names a file that is not in the tree", i+1)
		}
		if err := j.checkYAML(name); err != nil {
			return nil, err
		}
		patches[i].Path, patches[i].Patch = "", string(data)
	}
	return patches, nil
}

func (j *job) checkOutput(objects [][]byte) error {
	if len(objects) > j.limits.MaxObjects {
		return fail(codeTooManyObjects, j.request.Path, "the render gives %d objects, the limit is %d", len(objects), j.limits.MaxObjects)
	}
	total := 0
	for _, object := range objects {
		total += len(object)
	}
	if total > j.limits.MaxOutput {
		return fail(codeTooLarge, j.request.Path, "the render gives %d bytes, the limit is %d", total, j.limits.MaxOutput)
	}
	return nil
}

// raw gives every document of every manifest file below the path, in path order.
func (j *job) raw() ([][]byte, error) {
	var objects [][]byte
	names := j.below(j.request.Path)
	names = slices.DeleteFunc(names, func(name string) bool { return !isManifest(name) })
	if len(names) == 0 {
		return nil, fail(codeNoKust, j.request.Path, "no .yaml, .yml or .json file lies below this path")
	}
	for _, name := range names {
		found, err := j.objectsIn(name, j.files[name])
		if err != nil {
			return nil, err
		}
		if objects = append(objects, found...); len(objects) > j.limits.MaxObjects {
			break
		}
	}
	return objects, nil
}

func (j *job) objectsIn(name string, data []byte) ([][]byte, error) {
	nodes, err := j.documents(name, data)
	if err != nil {
		return nil, err
	}
	var objects [][]byte
	for _, node := range nodes {
		found, err := j.objectsOf(name, node)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

// below lists the files under a directory, or the file itself, in path order.
func (j *job) below(dir string) []string {
	var names []string
	for name := range j.files {
		if dir == "." || name == dir || strings.HasPrefix(name, dir+"/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func isManifest(name string) bool {
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}
