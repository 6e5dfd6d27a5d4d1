package filter

import (
	"strings"
	"testing"

	"postern/internal/scripts"
	"postern/internal/testdb"
	"postern/sieve"
)

const including = `require ["include", "fileinto", "copy"];` + "\n"

// keep keeps a script that is not run by itself.
func (f *Filters) keep(t testing.TB, o scripts.Owner, name, text string) {
	t.Helper()
	if err := f.Scripts.Put(t.Context(), o, name, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// filed runs what there is for account 1 and gives the mailboxes that the message goes into.
func (f *Filters) filed(t testing.TB) string {
	t.Helper()
	var list []string
	r := f.run(t)
	for _, a := range r.Actions {
		list = append(list, a.Mailbox)
	}
	for _, failed := range r.Failures {
		list = append(list, failed.Reason)
	}
	return strings.Join(list, " ")
}

func TestScriptsAreIncludedFromWhereTheyBelong(t *testing.T) {
	f, _ := newFilters(t, testdb.SQLite(t))
	domain, server := scripts.Owner{Domain: "example.test"}, scripts.Owner{}
	file := func(into string) string { return `require ["fileinto", "copy"]; fileinto :copy "` + into + `";` }
	f.keep(t, scripts.Of(1), "x", file("mine"))
	f.keep(t, scripts.Of(2), "y", file("somebody's"))
	f.keep(t, domain, "x", file("domain"))
	f.keep(t, scripts.Owner{Domain: "example.org"}, "y", file("elsewhere"))
	f.keep(t, server, "x", file("server"))
	f.keep(t, server, "y", file("server-y"))
	all := including + `include "x"; include :global "x"; include :global "y"; include :optional "y";`
	f.put(t, scripts.Owner{Role: scripts.Before}, "a", all)
	f.put(t, scripts.Owner{Domain: "example.test", Role: scripts.Before}, "b", all)
	f.put(t, scripts.Of(1), "c", strings.ReplaceAll(all, "include", "INCLUDE"))
	// The server's see nothing of the domain, the domain's nothing of the account; what is filed twice is filed once.
	if got := f.filed(t); got != "server server-y domain mine" {
		t.Errorf("filed into %s", got)
	}
}

func TestScriptsThatIncludeOthersAreCompiledAgainWhenSomethingChanged(t *testing.T) {
	f, _ := newFilters(t, testdb.SQLite(t))
	me, domain, server := scripts.Of(1), scripts.Owner{Domain: "example.test"}, scripts.Owner{}
	file := func(into string) string { return `require ["fileinto", "copy"]; fileinto :copy "` + into + `";` }
	f.put(t, me, "main", including+`include :optional "own"; include :optional :global "all"; keep;`)
	ready := func() *sieve.Script {
		t.Helper()
		plan, err := f.For(t.Context(), 1, "example.test")
		if err != nil {
			t.Fatal(err)
		}
		return plan.parts[0].script
	}
	for _, step := range []struct {
		name   string
		change func() error
		want   string
	}{
		{"one's own comes", func() error { return f.Scripts.Put(t.Context(), me, "own", []byte(file("1"))) }, "1 "},
		{"it changes", func() error { return f.Scripts.Put(t.Context(), me, "own", []byte(file("2"))) }, "2 "},
		{"the server's comes", func() error { return f.Scripts.Put(t.Context(), server, "all", []byte(file("s"))) }, "2 s "},
		{"the domain's comes before it", func() error { return f.Scripts.Put(t.Context(), domain, "all", []byte(file("d"))) }, "2 d "},
		{"the domain's goes", func() error { return f.Scripts.Delete(t.Context(), domain, "all") }, "2 s "},
		{"one's own is renamed", func() error { return f.Scripts.Rename(t.Context(), me, "own", "other") }, "s "},
	} {
		before := ready()
		if err := step.change(); err != nil {
			t.Fatal(err)
		}
		if got := f.filed(t); got != step.want {
			t.Errorf("%s: filed into %q, want %q", step.name, got, step.want)
		}
		after := ready()
		if after == before {
			t.Errorf("%s: the script is as it was", step.name)
		}
		if err := f.Scripts.Put(t.Context(), scripts.Of(2), "own", []byte(file("x"))); err != nil { // somebody else's
			t.Fatal(err)
		}
		if ready() != after {
			t.Errorf("%s: nothing changed, and it is compiled again", step.name)
		}
	}
}

func TestACheckFollowsIncludes(t *testing.T) {
	f, _ := newFilters(t, testdb.SQLite(t))
	me := scripts.Of(1)
	f.keep(t, me, "broken", "keep;\nkeeep;")
	f.keep(t, scripts.Owner{Domain: "example.test"}, "all", "keep;")
	f.keep(t, me, "a", including+`include "b";`)
	f.keep(t, me, "b", including+`include "a";`)
	for _, c := range []struct{ name, script, mistakes, warnings string }{
		{"x", including + `include :global "all";`, "", ""},
		{"x", including + `include "none";`, "", `line 2: there is no script "none" to include`},
		{"x", including + `include "broken";`, "", `broken: line 2: unknown command 'keeep'`},
		{"x", including + `include "a";`, "", `includes itself`},
		{"x", including + `include "x";`, "", `the script "x" includes itself`},
		{"b", including + `include "a";`, "", `b: line 2: the script "a" includes itself`},
		{"b", including, "", ""}, // what is put takes the place of what makes the circle
		{"x", including + `include "a"; keeep;`, "line 2: unknown command 'keeep'", ""},
		{"", `keep;`, "", ""},
	} {
		mistakes, warnings, err := f.Check(t.Context(), me, c.name, []byte(c.script))
		if err != nil {
			t.Fatal(err)
		}
		for kind, pair := range map[string][2]string{"mistakes": {c.mistakes, texts(mistakes)}, "warnings": {c.warnings, texts(warnings)}} {
			if want, got := pair[0], pair[1]; want == "" && got != "" || !strings.Contains(got, want) {
				t.Errorf("%s: the %s are %q, want %q", c.script, kind, got, want)
			}
		}
	}
}

func texts(problems sieve.Problems) string {
	var list []string
	for _, p := range problems {
		list = append(list, p.Error())
	}
	return strings.Join(list, "\n")
}

func BenchmarkAScriptThatIncludesOthers(b *testing.B) {
	f, _ := newFilters(b, testdb.SQLite(b))
	f.keep(b, scripts.Of(1), "own", `keep;`)
	f.put(b, scripts.Of(1), "main", including+`include "own";`+strings.Repeat("if header \"a\" \"b\" { keep; }\n", 30))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.For(b.Context(), 1, "example.test"); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAFailureIsAnotherWhenAnIncludedScriptIs(t *testing.T) {
	f, _ := newFilters(t, testdb.SQLite(t))
	f.put(t, scripts.Of(1), "main", including+`include "part";`)
	fails := func(text string) Mark {
		t.Helper()
		f.keep(t, scripts.Of(1), "part", text)
		r := f.run(t)
		if len(r.Failures) != 1 {
			t.Fatalf("%s: failures: %+v", text, r.Failures)
		}
		return r.Failures[0].Mark()
	}
	one := fails(`require "ihave"; error "a";`)
	if fails(`require "ihave"; error "b";`) == one {
		t.Error("the owner is not told that another version fails too")
	}
	if fails(`require "ihave"; error "a";`) != one {
		t.Error("the owner is told twice of the same")
	}
}
