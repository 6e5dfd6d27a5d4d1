package grammar

import (
	"bytes"
	"reflect"
	"testing"
)

// deepest is how many blocks and tests are within each other.
func deepest(list []Command) int {
	most := 0
	for i := range list {
		most = max(most, 1+deepest(list[i].Block), 1+deepest(list[i].Tests))
	}
	return most
}

// eachPosition calls a function for all places in a tree.
func eachPosition(list []Command, do func(Position)) {
	for i := range list {
		c := &list[i]
		do(c.Position)
		for _, a := range c.Arguments {
			do(a.Position)
			for _, t := range a.Texts {
				do(t.Position)
			}
		}
		eachPosition(c.Tests, do)
		eachPosition(c.Block, do)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "keep;", "if true { stop; } else { discard; }", "require [\"a\", \"b\"];", "if anyof (not true, allof (false, true)) { }",
		"set \"a\" text: # c\r\nline\r\n..dot\r\n.\r\n;", "/* c */ # c\nkeep", "if size :over 10K { redirect \"a\\\"b\"; }", "}{;)(,][", "a :b 1 [] \"", "text:", "/*",
		"if if if", "\x00\xff", "x 99999999999999999999;", "test { test { test { } } }",
		"require [\"fileinto\"];\nif header :is \"a\" [\"b\"] { fileinto \"x\"; } elsif not true { stop; }", "keep \"\\", "{}}", "[\"a\",", ":", "1Gx",
	} {
		f.Add([]byte(s))
	}
	limits := Limits{Size: 4 << 10, Depth: 8, Commands: 100, Arguments: 8, Texts: 100, Problems: 5}
	f.Fuzz(func(t *testing.T, source []byte) {
		commands, problems := Parse(source, limits)
		again, same := Parse(source, limits)
		if !reflect.DeepEqual(commands, again) || !reflect.DeepEqual(problems, same) {
			t.Fatal("read twice, it is not the same")
		}
		if len(problems) > limits.Problems || deepest(commands) > 2*limits.Depth {
			t.Fatalf("%d problems, %d deep", len(problems), deepest(commands))
		}
		lines := 1 + bytes.Count(source, []byte("\n"))
		check := func(p Position) {
			if p.Line < 1 || p.Column < 1 || p.Line > lines || p.Column > len(source)+1 {
				t.Fatalf("%+v is nowhere in the script", p)
			}
		}
		eachPosition(commands, check)
		for _, p := range problems {
			check(p.Position)
			if p.Text == "" {
				t.Fatal("a problem without words")
			}
		}
	})
}
