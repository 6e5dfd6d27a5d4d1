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

func TestFewScriptsAreReadHoweverManyAreAskedFor(t *testing.T) {
	names := map[string]func(int) string{
		"one that is too large": func(int) string { return "large" },
		"one that is missing":   func(int) string { return "missing" },
		"ever others missing":   func(i int) string { return fmt.Sprint("missing", i) },
		"ever other ones":       func(i int) string { return fmt.Sprint("there", i) },
	}
	for name, of := range names {
		script := "require \"include\";\n"
		for i := range 2000 {
			script += fmt.Sprintf("include :optional %q;\n", of(i))
		}
		for _, lenient := range []bool{false, true} {
			read := 0
			library := func(script string, _ bool) ([]byte, error) {
				switch read++; {
				case script == "large":
					return make([]byte, 16<<20), nil
				case strings.HasPrefix(script, "missing"):
					return nil, fs.ErrNotExist
				}
				return []byte("keep;"), nil
			}
			_, err := Compile([]byte(script), Options{Include: library, Lenient: lenient})
			if want := lenient || name == "one that is missing"; (err == nil) != want {
				t.Errorf("%s, lenient %v: %v", name, lenient, err)
			}
			if read == 0 || read > usualIncludes {
				t.Errorf("%s, lenient %v: scripts are read %d times", name, lenient, read)
			}
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
