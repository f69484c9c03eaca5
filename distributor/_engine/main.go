// Command distributor-engine renders kustomizations, Helm charts and plain manifests.
//
// It reads framed requests on standard input and writes framed answers on standard output, one
// after the other (frame.go describes the frames). It never reads a disk, never opens a socket and
// never starts a program: every input arrives in the request, and confine holds it to that. One
// process serves one request at a time; the caller runs several processes and kills one that takes
// too long.
//
// Where to look, in the order in which a request passes:
//
//	main, frame, request      the process, its frames, the fields of a request
//	render                    one job: a base by its renderer, layers and patches over it
//	scan, cost, archives      what is refused before a library reads it, and why it would cost too much
//	kustomize, treefs, labels a kustomization, the files it sees, and a step that it need not take
//	helm, helmcharts          a chart, alone or as an entry of a kustomization
//	impure, steady, scope, chartfiles, nofiles   what makes a chart a pure function of its input
//	schema, schemacost        values.schema.json
//	yaml, json, scalar        text to nodes, nodes to the JSON of the answer
//	limits, usage, sandbox    what a render may take, and what the system holds it to
//	errors, identity          codes of refusals; the version that caches are keyed by
package main

import (
	"bufio"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"runtime"
	"time"
)

// Exit codes that the caller tells apart from a crash.
const (
	exitProtocol = 64 // the caller sent something that is not a frame
	exitOrphan   = 65 // the caller went away in the middle of a render
	exitMemory   = 86 // the watchdog ended the process for its memory
	exitCPU      = 87 // the watchdog ended the process for its processor time
)

func main() {
	limits := parseFlags()
	seal()
	protection = confine(limits)
	dog := watch(limits)
	in, out := bufio.NewReaderSize(os.Stdin, 1<<16), os.Stdout
	// Libraries print warnings; standard output carries frames only.
	os.Stdout = os.Stderr
	if err := serve(in, out, limits, dog); err != nil {
		os.Exit(exitProtocol)
	}
}

func parseFlags() Limits {
	limits := defaultLimits()
	flag.IntVar(&limits.MaxObjects, "max-objects", limits.MaxObjects, "objects in one answer")
	flag.IntVar(&limits.MaxInput, "max-input", limits.MaxInput, "bytes of one request's files")
	flag.IntVar(&limits.MaxOutput, "max-output", limits.MaxOutput, "bytes of one answer's objects")
	flag.IntVar(&limits.MaxDepth, "max-depth", limits.MaxDepth, "nesting of one document")
	flag.Int64Var(&limits.SoftMemory, "soft-memory", limits.SoftMemory, "bytes at which the collector works")
	flag.Int64Var(&limits.HardMemory, "hard-memory", limits.HardMemory, "bytes of heap at which the process exits")
	flag.DurationVar(&limits.MaxCPU, "max-cpu", limits.MaxCPU, "processor time of one request; 0 bounds nothing")
	flag.Parse()
	return limits
}

// protection names what the system itself enforces on this process; see confine.
var protection []string

// seal takes away what a render must not have, should a check upstream ever fail: an HTTP
// transport, programs to start, variables to read.
func seal() {
	os.Clearenv()
	http.DefaultTransport = refusingTransport{}
	http.DefaultClient = &http.Client{Transport: refusingTransport{}}
	time.Local = time.UTC // where the machine stands is not an input
	runtime.GOMAXPROCS(min(runtime.NumCPU(), 2))
}

type refusingTransport struct{}

func (refusingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, fail(codeRemoteBase, "", "the network is not reachable from a render: %s", r.URL.Redacted())
}

// linger is how long a render may go on after the caller closed the stream: long enough for one
// that was asked for just before, short enough that nothing outlives a caller that was killed.
const linger = 10 * time.Second

// incoming is one frame, or the reason why it is refused or why the stream ends.
type incoming struct {
	request Request
	blob    []byte
	err     error
}

// receive reads frames in the background, so that the end of the stream is seen during a render.
func receive(in io.Reader, limits Limits) <-chan incoming {
	frames := make(chan incoming)
	go func() {
		for {
			request, blob, err := readRequest(in, limits)
			var refused *engineError
			lost := err != nil && !errors.As(err, &refused)
			if lost {
				time.AfterFunc(linger, func() { os.Exit(exitOrphan) })
			}
			frames <- incoming{request, blob, err}
			if lost {
				return
			}
		}
	}()
	return frames
}

// serve answers requests until the caller closes the stream. Only a broken stream is an error.
func serve(in io.Reader, out io.Writer, limits Limits, dog *watchdog) error {
	for frame := range receive(in, limits) {
		var refused *engineError
		if errors.Is(frame.err, io.EOF) {
			return nil
		}
		if frame.err != nil && !errors.As(frame.err, &refused) {
			return frame.err
		}
		dog.time()
		err := answerOne(out, frame, limits)
		dog.rest()
		if err != nil {
			return err
		}
	}
	return nil
}

func answerOne(out io.Writer, frame incoming, limits Limits) error {
	if err := writeAnswer(out, Answer{ID: frame.request.ID, Begun: true}, nil); err != nil {
		return err
	}
	answer := Answer{ID: frame.request.ID}
	objects, err := [][]byte(nil), frame.err
	if err == nil {
		objects, err = handle(frame.request, frame.blob, limits, &answer)
	}
	if err != nil {
		answer.Error, objects = asEngineError(err), nil
	}
	return writeAnswer(out, answer, objects)
}
