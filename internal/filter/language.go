package filter

import (
	"errors"
	"strings"

	"postern/sieve"
)

// Language is what scripts are written in here.
type Language struct{}

// Extensions are those that scripts may require, in the order of the alphabet: all that the language knows.
func (Language) Extensions() []string { return sieve.Extensions() }

// compile reads a script. The error tells all mistakes, each on a line of its own.
func compile(label string, source []byte, include func(name string, global bool) ([]byte, error)) (*sieve.Script, error) {
	s, err := sieve.Compile(source, sieve.Options{Name: label, Include: include})
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
