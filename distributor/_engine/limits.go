package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// Limits bound one request and the process.
type Limits struct {
	MaxObjects, MaxInput, MaxOutput, MaxDepth int
	SoftMemory, HardMemory                    int64
	// MaxCPU is the processor time of one request, over all threads; 0 bounds nothing.
	MaxCPU time.Duration
}

func defaultLimits() Limits {
	return Limits{
		MaxObjects: 20_000,
		MaxInput:   32 << 20,
		MaxOutput:  64 << 20,
		MaxDepth:   128,
		SoftMemory: 48 << 20,
		HardMemory: 512 << 20,
	}
}

// maxStack ends endless recursion long before it eats the machine's memory. The runtime offers no
// way to recover from it: the process dies and the caller starts another.
const maxStack = 64 << 20

// garbagePercent turns off collections by the growth of the heap: renders are short and leave little
// behind, so a worker collects when it reaches the soft limit, once in a dozen renders. Its memory is
// that limit from the first dozen on, however many follow.
const garbagePercent = -1

// heapMetric counts live and not yet swept objects: reading it does not stop the world.
const heapMetric = "/memory/classes/heap/objects:bytes"

// watchEvery is how often the watchdog looks. A jump that is over in less is bounded by the kernel.
const watchEvery = 10 * time.Millisecond

// idle is the mark of a watchdog that has no request to time.
const idle = -1

// watchdog ends the process, with an exit code of its own, when a request uses more than it may: it
// costs its own worker only. Nothing inside a library can be stopped otherwise.
type watchdog struct {
	limits Limits
	// began is the processor time of the process when the request began, or idle.
	began atomic.Int64
}

// watch has the collector work at the soft memory limit, and starts the watchdog.
func watch(limits Limits) *watchdog {
	debug.SetMaxStack(maxStack)
	debug.SetGCPercent(garbagePercent)
	debug.SetMemoryLimit(limits.SoftMemory)
	dog := &watchdog{limits: limits}
	dog.rest()
	go func() {
		sample := []metrics.Sample{{Name: heapMetric}}
		for range time.Tick(watchEvery) {
			metrics.Read(sample)
			dog.judge(int64(sample[0].Value.Uint64()), int64(cpuTime()))
		}
	}()
	return dog
}

// time begins a request; rest ends it.
func (dog *watchdog) time() { dog.began.Store(int64(cpuTime())) }
func (dog *watchdog) rest() { dog.began.Store(idle) }

func (dog *watchdog) judge(heap, cpu int64) {
	if heap > dog.limits.HardMemory {
		os.Exit(exitMemory)
	}
	began := dog.began.Load()
	if dog.limits.MaxCPU > 0 && began != idle && cpu-began > int64(dog.limits.MaxCPU) {
		os.Exit(exitCPU)
	}
}
