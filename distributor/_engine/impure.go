package main

import (
	"errors"
	"fmt"
	"text/template"
)

// impureFuncs answer differently each time. A render must depend on its input alone: approvals
// are bound to its hash, and a password that changes with every render locks its users out.
var impureFuncs = []string{
	"ago", "bcrypt", "encryptAES", "genCA", "genCAWithKey", "genPrivateKey", "genSelfSignedCert",
	"genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey", "htpasswd", "now",
	"randAlpha", "randAlphaNum", "randAscii", "randBytes", "randInt", "randNumeric", "shuffle", "uuidv4",
}

// purity lays functions of our own over Helm's and remembers the impure one that a template called:
// Helm keeps only the text of an error, and not even that when a template ignores it.
type purity struct{ called string }

// refuse is what an impure call answers; the first one is the one to name.
func (p *purity) refuse(name, format string, args ...any) error {
	if p.called == "" {
		p.called = name
	}
	return fmt.Errorf("%s "+format, append([]any{name}, args...)...)
}

// verdict is the refusal of a chart whose template called an impure function, or nil.
func (p *purity) verdict(name string, err error) error {
	if p.called == "" {
		return nil
	}
	if err == nil {
		err = errors.New("its answer differs from render to render")
	}
	return fail(codeImpure, name, "a template calls %s: %v", p.called, err)
}

// funcs are the functions that replace Helm's: impure ones stop the template at the call, not at
// the mention, as many charts call one only when no value was given; those whose answer hangs on
// the order of a map, the clock or the disk of the machine in some cases answer steadily.
func (p *purity) funcs() template.FuncMap {
	funcs := p.steadyFuncs()
	for _, name := range impureFuncs {
		funcs[name] = func(...any) (string, error) {
			return "", p.refuse(name, "gives another answer at each render; name a Secret reference or give the value instead")
		}
	}
	return funcs
}
