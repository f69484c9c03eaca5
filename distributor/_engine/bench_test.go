package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// The tree to build and the directory in it, as tests/benchmarks/rendering.py names them.
const (
	benchTree = "BENCH_TREE"
	benchDir  = "BENCH_DIR"
)

// BenchmarkKustomize measures kustomize itself in a warm process, over the files of a real app: what
// the engine is compared with. `run` stops at kustomize's own objects, `yaml` also writes them.
func BenchmarkKustomize(b *testing.B) {
	root := os.Getenv(benchTree)
	if root == "" {
		b.Skipf("%s names no tree", benchTree)
	}
	tree := inMemory(b, root)
	// As the engine has it: with the collector's default, kustomize would look slower than it need be.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	b.Run("run", func(b *testing.B) {
		for b.Loop() {
			kustomized(b, tree)
		}
	})
	b.Run("yaml", func(b *testing.B) {
		for b.Loop() {
			if _, err := kustomized(b, tree).AsYaml(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func kustomized(b *testing.B, tree filesys.FileSystem) resmap.ResMap {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionUnspecified
	found, err := krusty.MakeKustomizer(options).Run(tree, "/tree/"+os.Getenv(benchDir))
	if err != nil {
		b.Fatal(err)
	}
	return found
}

func inMemory(b *testing.B, root string) filesys.FileSystem {
	tree := filesys.MakeFsInMemory()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return tree.WriteFile("/tree/"+filepath.ToSlash(name), data)
	})
	if err != nil {
		b.Fatal(err)
	}
	return tree
}
