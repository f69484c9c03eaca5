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
	defer collectAsInProduction()()
	b.Run("run", func(b *testing.B) {
		for b.Loop() {
			built(b, tree)
		}
	})
	b.Run("yaml", func(b *testing.B) {
		for b.Loop() {
			if _, err := built(b, tree).AsYaml(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// collectAsInProduction gives both what the engine has: with the collector's default, kustomize would
// look slower than it need be.
func collectAsInProduction() (restore func()) {
	percent := debug.SetGCPercent(garbagePercent)
	limit := debug.SetMemoryLimit(defaultLimits().SoftMemory)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}

func built(b *testing.B, tree filesys.FileSystem) resmap.ResMap {
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

// BenchmarkRender measures the same build as a request of the engine: checks and JSON included.
func BenchmarkRender(b *testing.B) {
	root := os.Getenv(benchTree)
	if root == "" {
		b.Skipf("%s names no tree", benchTree)
	}
	files := onDisk(b, root)
	defer collectAsInProduction()()
	b.ReportAllocs()
	for b.Loop() {
		request := Request{Renderer: "kustomize", Path: os.Getenv(benchDir)}
		work := job{request: request, files: files, limits: defaultLimits()}
		if _, err := work.render(); err != nil {
			b.Fatal(err)
		}
	}
}

func onDisk(b *testing.B, root string) map[string][]byte {
	files := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[name], err = os.ReadFile(filepath.Join(root, name))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return files
}
