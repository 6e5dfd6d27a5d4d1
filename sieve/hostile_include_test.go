package sieve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

func TestIncludesThatGoRoundInACircleAreRefused(t *testing.T) {
	for name, scripts := range map[string]map[string]string{
		"itself":       {"a": `include "a";`},
		"in a circle":  {"a": `include "b";`, "b": `include "c";`, "c": `include "a";`},
		"without end":  nil, // each includes another one
		"by the dozen": {"a": repeated(3000, `include "a";`)},
	} {
		library := func(script string, _ bool) ([]byte, error) {
			body, ok := scripts[script]
			if scripts == nil {
				body, ok = `include "`+script+`x";`, true
			}
			if !ok {
				return nil, fs.ErrNotExist
			}
			return []byte("require \"include\";\n" + body), nil
		}
		var err error
		if n := allocated(func() {
			_, err = Compile([]byte("require \"include\";\ninclude \"a\";"), Options{Include: library})
		}); n > maxAllocated {
			t.Errorf("%s: compiling it allocates %d bytes", name, n)
		}
		var problems Problems
		if !errors.As(err, &problems) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIncludesThatMultiplyEndWithinTheBudget(t *testing.T) {
	library := func(script string, _ bool) ([]byte, error) {
		next := fmt.Sprintf("include \"%sx\";\n", script)
		if len(script) > 6 {
			next = "if header :matches \"subject\" \"*x*y*\" { set \"a\" \"${a}${1}\"; }\n"
		}
		return []byte("require [\"include\", \"variables\"];\n" + strings.Repeat(next, 1000)), nil
	}
	s, err := Compile([]byte("require \"include\";\ninclude \"a\";"), Options{Include: library})
	if err != nil {
		t.Fatal(err)
	}
	var o Outcome
	n := allocated(func() { o = s.Run(context.Background(), jobFor(t, sample)) })
	if n > maxAllocated || !errors.Is(o.Err, ErrBudget) || !o.ImplicitKeep {
		t.Errorf("%v, %+v, %d bytes", o.Err, o.Cost, n)
	}
}
