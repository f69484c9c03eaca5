//go:build !unix

package main

import "time"

// cpuTime is unknown here: the caller's deadline alone bounds a request.
func cpuTime() time.Duration { return 0 }
