package main

import (
	"errors"
	"fmt"
)

// Codes of refusals; the Python side maps each to a stable DST3xx code.
const (
	codeBadRequest     = "bad-request"
	codeBadYAML        = "bad-yaml"
	codeBuild          = "build"
	codeDuplicate      = "duplicate-object"
	codeImpure         = "impure"
	codeInternal       = "internal"
	codeNoChart        = "no-chart"
	codeNoKust         = "no-kustomization"
	codeOutsideTree    = "outside-tree"
	codePlugin         = "plugin"
	codeRemoteBase     = "remote-base"
	codeTemplate       = "template"
	codeTooDeep        = "too-deep"
	codeTooLarge       = "too-large"
	codeTooManyObjects = "too-many-objects"
	codeValuesSchema   = "values-schema"
)

// maxMessage bounds what one answer says: some libraries quote whole documents.
const maxMessage = 4000

// engineError is a refusal with a code, and the file it is about where one is to blame.
type engineError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Path    string `json:"path"`
}

func (e *engineError) Error() string {
	if e.Path == "" {
		return e.Message
	}
	return e.Path + ": " + e.Message
}

func fail(code, path, format string, args ...any) *engineError {
	return &engineError{Code: code, Message: fmt.Sprintf(format, args...), Path: path}
}

// asEngineError finds the coded refusal inside err; anything else is an internal error.
func asEngineError(err error) *engineError {
	var coded *engineError
	if !errors.As(err, &coded) {
		coded = fail(codeInternal, "", "%v", err)
	}
	if text := coded.Message; len(text) > maxMessage {
		// What began the error and what it came to stand at the two ends of the chain.
		head, tail := text[:maxMessage/2], text[len(text)-maxMessage/2:]
		coded = fail(coded.Code, coded.Path, "%s ... %s", head, tail)
	}
	return coded
}
