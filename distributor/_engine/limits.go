package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Limits bound one request and the process.
type Limits struct {
	MaxObjects, MaxInput, MaxOutput, MaxDepth int
	SoftMemory, HardMemory                    int64
}

func defaultLimits() Limits {
	return Limits{
		MaxObjects: 20_000,
		MaxInput:   32 << 20,
		MaxOutput:  64 << 20,
		MaxDepth:   128,
		SoftMemory: 64 << 20,
		HardMemory: 512 << 20,
	}
}

// maxStack ends endless recursion long before it eats the machine's memory. The runtime offers no
// way to recover from it: the process dies and the caller starts another.
const maxStack = 64 << 20

// garbagePercent lets the heap grow to five times what is live before it is collected: renders are
// short and leave little behind, and the soft limit bounds the whole.
const garbagePercent = 400

// heapMetric counts live and not yet swept objects: reading it does not stop the world.
const heapMetric = "/memory/classes/heap/objects:bytes"

// watchMemory makes the collector work harder from the soft limit on and ends the process at the
// hard one, with an exit code of its own: a request that eats memory costs its own worker only.
func watchMemory(limits Limits) {
	debug.SetMaxStack(maxStack)
	debug.SetGCPercent(garbagePercent)
	debug.SetMemoryLimit(limits.SoftMemory)
	go func() {
		sample := []metrics.Sample{{Name: heapMetric}}
		for range time.Tick(10 * time.Millisecond) {
			metrics.Read(sample)
			if int64(sample[0].Value.Uint64()) > limits.HardMemory {
				os.Exit(exitMemory)
			}
		}
	}()
}
