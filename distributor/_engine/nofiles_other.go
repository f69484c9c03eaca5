//go:build !unix

package main

// withoutFiles runs a function; these systems have no zones on their disk for Go to find.
func withoutFiles(run func()) { run() }
