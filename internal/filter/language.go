package filter

import (
	"errors"
	"slices"
	"strings"

	"postern/sieve"
)

// without are the extensions of the language that are not carried out here, so that no script may require them.
func without() []string {
	return []string{
		"editheader", "enotify",
	}
}

// Language is what scripts are written in here.
type Language struct{}

// Extensions are those that scripts may require, in the order of the alphabet.
func (Language) Extensions() []string {
	none := without()
	return slices.DeleteFunc(sieve.Extensions(), func(name string) bool { return slices.Contains(none, name) })
}

// compile reads a script. The error tells all mistakes, each on a line of its own.
func compile(label string, source []byte, include func(name string, global bool) ([]byte, error)) (*sieve.Script, error) {
	s, err := sieve.Compile(source, sieve.Options{Name: label, Without: without(), Include: include})
	var problems sieve.Problems
	if !errors.As(err, &problems) {
		return s, err
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.Error()
	}
	return nil, errors.New(strings.Join(lines, "\n"))
}
