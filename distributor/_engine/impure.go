package main

import (
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

// refusedFuncs stops a template at the call of an impure function, not at its mention: many charts
// call one only when no value was given. The name goes to called, as Helm keeps only the text of
// an error.
func refusedFuncs(called *string) template.FuncMap {
	funcs := template.FuncMap{}
	for _, name := range impureFuncs {
		funcs[name] = func(...any) (string, error) {
			*called = name
			return "", fmt.Errorf("%s gives another answer at each render; give the value in values instead", name)
		}
	}
	return funcs
}
