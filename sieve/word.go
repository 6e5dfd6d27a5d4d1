package sieve

import "postern/sieve/grammar"

// form is what an argument looks like.
type form uint8

const (
	nothing form = iota // a tag alone
	aText
	aList // one string is a list too
	aNumber
	aConstant // a text in which no variable may stand
)

func (f form) String() string {
	return [...]string{"no argument", "a string", "a string list", "a number", "a string"}[f]
}

// arity is how many tests a word takes.
type arity uint8

const (
	noTest arity = iota
	oneTest
	someTests
)

// tag is a tagged argument of a word.
type tag struct {
	name  string
	from  string // the extension that has it; "" as the word
	takes form
	group string // of the tags of a group one may stand
}

// parameter is a positional argument.
type parameter struct {
	form form
	what string // for messages: "key list"
}

// word is a command or a test: what it is called, what it takes, what it does.
type word struct {
	name string
	from string // the extension that has it; "" for the language itself
	tags []tag
	args []parameter
	// optional: the first of the args may lack; lastOptional: the last.
	optional, lastOptional bool
	tests                  arity
	block                  bool
	loop                   bool // a break in the block ends it
	// command and test compile a use of it; one of them is there.
	command func(c *compiler, u *use) func(*machine) error
	test    func(c *compiler, u *use) func(*machine) (bool, error)
	// anywhere: a command of another kind may not come before require, which this one does not end.
	anywhere bool
}

// use is a word with its arguments, as a script has it.
type use struct {
	grammar.Position
	word  *word
	tags  map[string]*value
	args  []value
	tests []condition
	block []step
}

// value is an argument.
type value struct {
	grammar.Position
	given  bool
	number uint64
	texts  []text
}

// text is the only string of a value.
func (v *value) text() text { return v.texts[0] }

// has reports whether a tag stands there.
func (u *use) has(name string) bool { return u.tags[name] != nil }

// step is a command that is ready to run, condition a test.
type (
	step struct {
		grammar.Position
		name string
		run  func(*machine) error
	}
	condition struct {
		grammar.Position
		name  string
		holds func(*machine) (bool, error)
	}
)

// vocabulary is all words by their names, commands and tests apart.
type vocabulary struct {
	commands, tests map[string]*word
	extensions      map[string]bool
}

// words are the tables of all files that have some.
func newVocabulary(tables ...[]word) *vocabulary {
	v := &vocabulary{commands: map[string]*word{}, tests: map[string]*word{}, extensions: map[string]bool{}}
	for _, table := range tables {
		for i := range table {
			w := &table[i]
			if w.command != nil {
				v.commands[w.name] = w
			} else {
				v.tests[w.name] = w
			}
		}
	}
	for _, name := range extensions {
		v.extensions[name] = true
	}
	return v
}
