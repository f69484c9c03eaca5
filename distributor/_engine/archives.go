package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"path"
	"strings"
)

const (
	// maxArchived bounds the entries of all archives of a chart, those inside of archives too.
	maxArchived = 10_000
	// maxNested bounds how deep archives lie in each other: charts have charts of charts, seldom more.
	maxNested = 10
)

// archives are the packed subcharts of one chart, counted before Helm unpacks them into memory.
type archives struct {
	dir           string
	entries       int
	bytes, atMost int64
}

// check reads through an archive and those inside. What is no archive is Helm's to report.
func (a *archives) check(name string, data []byte, depth int) error {
	if depth > maxNested {
		return fail(codeTooDeep, a.dir, "%s: archives of subcharts lie more than %d deep in each other; unpack them", name, maxNested)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	for entries := tar.NewReader(unzipped); ; {
		header, err := entries.Next()
		if err != nil {
			return nil
		}
		if a.entries++; a.entries > maxArchived {
			return fail(codeTooLarge, a.dir, "%s: the archives of subcharts hold more than %d entries; leave out what no template reads", name, maxArchived)
		}
		if err := a.entry(name, header, entries, depth); err != nil {
			return err
		}
	}
}

func (a *archives) entry(name string, header *tar.Header, content io.Reader, depth int) error {
	var inner bytes.Buffer
	var into io.Writer = io.Discard
	packed := isPackedChart(header.Name)
	if packed {
		into = &inner
	}
	read, err := io.CopyN(into, content, a.atMost-a.bytes+1)
	if a.bytes += read; a.bytes > a.atMost {
		return fail(codeTooLarge, a.dir, "%s: the archives of subcharts unpack to more than %d bytes; leave out what no template reads", name, a.atMost)
	}
	if err != nil && !errors.Is(err, io.EOF) || !packed {
		return nil
	}
	return a.check(name+"/"+path.Base(header.Name), inner.Bytes(), depth+1)
}

// isPackedChart says whether Helm unpacks a file of a chart; it reads a backslash as a slash.
func isPackedChart(name string) bool {
	name = strings.ReplaceAll(name, `\`, "/")
	return strings.HasSuffix(name, ".tgz") && path.Base(path.Dir(name)) == "charts"
}
