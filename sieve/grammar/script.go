// Package grammar reads the text of a Sieve script into its commands (RFC 5228 2 and 8).
//
// It knows the shape of the language and none of its words: what a command means, and whether its arguments are right, is for
// package sieve to say. The road starts in [Parse] with bytes that somebody wrote, and ends in a tree in which everything knows
// the line that it stands in, and the problems that were found, so that one reading names them all.
package grammar

import "fmt"

// Position is a place in a script. Lines and columns are counted from 1, columns in bytes.
type Position struct{ Line, Column int }

// Problem is what is wrong at a place, in words for whoever wrote it.
type Problem struct {
	Position
	// Script is the name of the script, if it is another that this one includes.
	Script string
	Text   string
}

// Error is the problem with its line, and the script if it is another.
func (p Problem) Error() string {
	if p.Script != "" {
		return fmt.Sprintf("%s: line %d: %s", p.Script, p.Line, p.Text)
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Text)
}

// Command is a command or, within one, a test.
type Command struct {
	Position
	Name      string // as written, in lower case
	Arguments []Argument
	// Tests are those of an if, or in the list of an anyof.
	Tests []Command
	// List tells that the tests stand in parentheses.
	List bool
	// Block is what stands in braces; HasBlock tells {} from none.
	Block    []Command
	HasBlock bool
}

// Kind is the form of an argument.
type Kind uint8

// The forms of arguments.
const (
	Tag Kind = iota
	Number
	Strings
)

// Argument is one argument.
type Argument struct {
	Position
	Kind   Kind
	Tag    string // in lower case, without the colon
	Number uint64
	// Texts are the strings, one or more; List tells that they stand in brackets.
	Texts []Text
	List  bool
}

// Text is a string as it was written, its escapes undone.
type Text struct {
	Position
	Value string
}
