//go:build unix

package main

import (
	"sync"
	"syscall"
)

// filesLock guards the limit of the process that withoutFiles changes for a moment.
var filesLock sync.Mutex

// withoutFiles runs a function while no file can be opened. Where the limit cannot be changed, the
// process is confined so far that it opens none in any case.
func withoutFiles(run func()) {
	filesLock.Lock()
	defer filesLock.Unlock()
	var before syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before) == nil {
		none := syscall.Rlimit{Cur: 0, Max: before.Max}
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none) == nil {
			defer func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) }()
		}
	}
	run()
}
