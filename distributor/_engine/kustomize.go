package main

import (
	"errors"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"
)

// The tree of the request and the kustomization of our own stand beside each other: kustomize
// refuses a base that contains the directory it is used from.
const (
	treeDir = "/tree"
	topDir  = "/top"
)

func fromTop(name string) string { return "../tree/" + name }

// kustomize builds the kustomization in one directory of the tree.
func (j *job) kustomize(dir string) ([][]byte, error) {
	if err := j.visit(dir); err != nil {
		return nil, err
	}
	return j.build(treeDir+"/"+dir, nil)
}

// build runs kustomize on the tree and the files of the top directory.
func (j *job) build(dir string, top map[string][]byte) ([][]byte, error) {
	fs := newTreeFS()
	for name, data := range j.files {
		fs.add(treeDir+"/"+name, data)
	}
	for name := range fs.files {
		if fs.dirs[name] {
			return nil, fail(codeBadRequest, strings.TrimPrefix(name, treeDir+"/"), "the path is that of a file and of a folder")
		}
	}
	for name, data := range top {
		fs.add(topDir+"/"+name, data)
	}
	if j.customSchema {
		openapi.ResetOpenAPI()
		defer openapi.ResetOpenAPI()
	}
	inflating = j
	options := krusty.MakeDefaultOptions()
	// The default of the command line: a kustomization may ask for another order.
	options.Reorder = krusty.ReorderOptionUnspecified
	result, err := krusty.MakeKustomizer(options).Run(fs, dir)
	if err != nil {
		return nil, kustomizeError(j.request.Path, err)
	}
	if result.Size() > j.limits.MaxObjects {
		return nil, fail(codeTooManyObjects, j.request.Path, "the render gives %d objects, the limit is %d", result.Size(), j.limits.MaxObjects)
	}
	objects := make([][]byte, 0, result.Size())
	for _, resource := range result.Resources() {
		object, err := toJSON(resource.CurId().String(), resource.YNode(), j.limits.MaxDepth, kustomized)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// address is where something lies in memory; some messages of kustomize print it.
var address = regexp.MustCompile(`0x[0-9a-f]{8,}`)

// inTree takes from paths in a message what only stands there because of the top directory.
var inTree = strings.NewReplacer(fromTop(""), "", treeDir+"/", "")

// kustomizeError gives an error of the library a code. Most of its errors are plain text; the
// scan before the run finds the dangerous cases, so a wrong guess here only costs precision.
func kustomizeError(name string, err error) error {
	var coded *engineError
	if errors.As(err, &coded) {
		return coded
	}
	message := address.ReplaceAllString(inTree.Replace(err.Error()), "...")
	code := codeBuild
	switch {
	case types.IsErrOnlyBuiltinPluginsAllowed(err), strings.Contains(message, "plugins disabled"),
		strings.Contains(message, "must specify --enable-helm"):
		code = codePlugin
	case strings.Contains(message, "no 'git' program on path"):
		code = codeRemoteBase
	case strings.Contains(message, "is not in or below"):
		code = codeOutsideTree
	case strings.Contains(message, "unable to find one of 'kustomization.yaml'"):
		code = codeNoKust
	case strings.Contains(message, "already registered id"),
		strings.Contains(message, "behavior must be merge or replace"):
		code = codeDuplicate
	case strings.Contains(message, "accumulated size increase of copy"):
		code = codeTooLarge
		message += "; a patch copies an object into itself, or much of it many times"
	case strings.Contains(message, "MalformedYAMLError"):
		code = codeBadYAML
	}
	return fail(code, name, "%s", message)
}
