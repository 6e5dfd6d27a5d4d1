package sieve

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestWhatIsTooMuchEndsTheScriptWithTheImplicitKeep(t *testing.T) {
	for _, c := range []struct {
		name, script string
		budget       Budget
		why, done    string
	}{
		{"steps", "discard;" + strings.Repeat("if true { }", 100), Budget{Steps: 50}, "more than 50 steps", "implicit"},
		{"redirects", "redirect \"a@x.example\"; redirect \"b@x.example\";", Budget{Redirects: 1}, "number of redirect actions", "redirect a@x.example, implicit"},
		{"actions", "keep; discard; redirect \"a@x.example\";", Budget{Actions: 2}, "total number of actions", "keep"},
		{"memory", "require \"variables\";\nset \"a\" \"0123456789\";", Budget{Memory: 9}, "more than 9 bytes of memory", "implicit"},
	} {
		j := jobFor(t, sample)
		j.Budget = c.budget
		o := compiled(t, c.script).Run(context.Background(), j)
		if !errors.Is(o.Err, ErrBudget) || !strings.Contains(o.Err.Error(), c.why) || done(o) != c.done {
			t.Errorf("%s: %v; %s", c.name, o.Err, done(o))
		}
	}
}

func TestARunIsBrokenOffWithItsContext(t *testing.T) {
	why := errors.New("the server stops")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	s := compiled(t, "require \"fileinto\";\nfileinto \"a\";\n"+strings.Repeat("if true { }\n", often))
	o := s.Run(ctx, jobFor(t, sample))
	if !errors.Is(o.Err, why) || done(o) != "implicit" || o.Cost.Steps > 2*often {
		t.Errorf("%v; %s; %+v", o.Err, done(o), o.Cost)
	}
}

func TestTheSameScriptComesToTheSameEnd(t *testing.T) {
	s := compiled(t, "require [\"fileinto\", \"variables\"];\nif header :matches [\"subject\", \"from\"] [\"*meeting\", \"*\"] { fileinto \"x${1}\"; }\nif size :over 1 { keep; }")
	j := jobFor(t, sample)
	first := fmt.Sprintf("%+v", s.Run(context.Background(), j))
	for range 20 {
		if again := fmt.Sprintf("%+v", s.Run(context.Background(), j)); again != first {
			t.Fatalf("%s\n%s", first, again)
		}
	}
}

// typical is a script such as a person has who sorts mail: 30 rules.
func typical() string {
	var out strings.Builder
	out.WriteString("require [\"fileinto\", \"copy\"];\n")
	for i := range 10 {
		fmt.Fprintf(&out, "if header :contains \"list-id\" \"list%d.example.org\" { fileinto \"lists/%d\"; stop; }\n", i, i)
		fmt.Fprintf(&out, "if address :is [\"from\", \"sender\"] [\"person%d@example.org\", \"other%d@example.net\"] { fileinto \"people\"; stop; }\n", i, i)
		fmt.Fprintf(&out, "if allof (header :matches \"subject\" \"*[project %d]*\", not address :domain \"from\" \"example.com\") { fileinto \"work\"; }\n", i)
	}
	return out.String()
}

func TestATypicalScriptCostsLittle(t *testing.T) {
	o := outcomeOf(t, typical())
	if o.Err != nil || o.Cost.Steps > 1000 {
		t.Errorf("%v, %+v", o.Err, o.Cost)
	}
}

func BenchmarkTypicalScript(b *testing.B) {
	s, j := compiled(b, typical()), jobFor(b, sample)
	b.ReportAllocs()
	for b.Loop() {
		if o := s.Run(context.Background(), j); o.Err != nil {
			b.Fatal(o.Err)
		}
	}
}

func BenchmarkCompileTypicalScript(b *testing.B) {
	source := []byte(typical())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(source, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
