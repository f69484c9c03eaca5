package main

import (
	"fmt"
	"os"
	"path"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// treeFS is the file system that kustomize sees: the files of the request, where they are, and
// nothing to write to. The one in memory that comes with kustomize takes no name with a space or a
// letter beyond ASCII, and wants a copy of every file.
type treeFS struct {
	filesys.FileSystem // an empty one in memory, for what kustomize never asks of a source
	files              map[string][]byte
	dirs               map[string]bool
}

func newTreeFS() *treeFS {
	return &treeFS{filesys.MakeFsInMemory(), map[string][]byte{}, map[string]bool{"/": true}}
}

// add puts a file at an absolute path, and the folders above it.
func (t *treeFS) add(name string, data []byte) {
	t.files[name] = data
	for dir := path.Dir(name); !t.dirs[dir]; dir = path.Dir(dir) {
		t.dirs[dir] = true
	}
}

// CleanedAbs splits a path into the folder and the file in it; the file is empty for a folder.
func (t *treeFS) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	clean := path.Clean("/" + name)
	if t.dirs[clean] {
		return filesys.ConfirmedDir(clean), "", nil
	}
	if _, found := t.files[clean]; found {
		return filesys.ConfirmedDir(path.Dir(clean)), path.Base(clean), nil
	}
	return "", "", absent(name)
}

// Exists says whether a file or folder is at a path.
func (t *treeFS) Exists(name string) bool {
	_, _, err := t.CleanedAbs(name)
	return err == nil
}

// IsDir says whether a folder is at a path.
func (t *treeFS) IsDir(name string) bool { return t.dirs[path.Clean("/"+name)] }

// ReadFile is the content of a file.
func (t *treeFS) ReadFile(name string) ([]byte, error) {
	data, found := t.files[path.Clean("/"+name)]
	if !found {
		return nil, absent(name)
	}
	return slices.Clone(data), nil
}

func absent(name string) error { return fmt.Errorf("'%s' doesn't exist%w", name, silent{}) }

// silent makes an error one of a missing file without saying so twice.
type silent struct{}

func (silent) Error() string        { return "" }
func (silent) Is(target error) bool { return target == os.ErrNotExist }
