package sieve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// shelf is scripts by their names; those of everybody have "global/" before theirs.
type shelf map[string]string

func (s shelf) options() Options {
	return Options{Include: func(name string, global bool) ([]byte, error) {
		if global {
			name = "global/" + name
		}
		if script, ok := s[name]; ok {
			return []byte(script), nil
		}
		return nil, fs.ErrNotExist
	}}
}

// run runs the script "main".
func (s shelf) run(t *testing.T) Outcome {
	t.Helper()
	script, err := Compile([]byte(s["main"]), s.options())
	if err != nil {
		t.Fatal(err)
	}
	return script.Run(context.Background(), jobFor(t, sample))
}

const includes = `require ["include", "variables", "fileinto"];` + "\n"

func TestIncludeAfterTheRules(t *testing.T) {
	for _, c := range []struct {
		name  string
		shelf shelf
		done  string
	}{
		{"what it does is done", shelf{"main": includes + `include "a"; fileinto "m";`, "a": `require "fileinto"; fileinto "a";`}, "fileinto a, fileinto m"},
		{"personal and global are apart", shelf{"main": includes + `include :global "a"; include :personal "a";`,
			"a": `require "fileinto"; fileinto "mine";`, "global/a": `require "fileinto"; fileinto "all";`}, "fileinto all, fileinto mine"},
		{"return ends what is included", shelf{"main": includes + `include "a"; fileinto "m";`, "a": includes + `if true { return; } fileinto "a";`}, "fileinto m"},
		{"return of the outermost ends the script", shelf{"main": includes + `return; fileinto "m";`}, "implicit"},
		{"stop ends all", shelf{"main": includes + `include "a"; fileinto "m";`, "a": `stop;`}, "implicit"},
		{"variables are each script's own", shelf{"main": includes + `set "v" "main"; include "a"; fileinto "=${v}${w}";`,
			"a": includes + `set "w" "a"; if string "${v}" "" { set "v" "a"; }`}, "fileinto =main"},
		{"global variables are shared", shelf{"main": includes + `global ["v", "w"]; set "v" "main"; include "a"; fileinto "=${v}${w}";`,
			"a": includes + `global "w"; global "v"; set "w" "+${v}";`}, "fileinto =main+main"},
		{"the namespace global needs no declaration", shelf{"main": includes + `set "global.v" "x"; include "a"; fileinto "=${global.v}";`,
			"a": includes + `set "global.v" "${global.v}y";`}, "fileinto =xy"},
		{"once is once", shelf{"main": includes + `global "n"; include "a"; include :once "a"; include "a"; fileinto "=${n}";`,
			"a": includes + `global "n"; set "n" "${n}i";`}, "fileinto =ii"},
		{"optional may lack", shelf{"main": includes + `include :optional "a"; fileinto "m";`}, "fileinto m"},
		{"with once a circle ends", shelf{"main": includes + `include "a"; fileinto "m";`, "a": includes + `include :once "b"; fileinto "a";`,
			"b": includes + `include :once "a"; fileinto "b";`}, "fileinto b, fileinto a, fileinto m"},
		{"a script that is not reached may lack", shelf{"main": includes + `if false { include "a"; } fileinto "m";`}, "fileinto m"},
		{"what a match leaves is the script's own", shelf{"main": includes + `if string :matches "xy" "x*" { include "a"; fileinto "=${1}"; }`,
			"a": includes + `if string :matches "pq" "p*" { }`}, "fileinto =y"},
	} {
		if o := c.shelf.run(t); done(o) != c.done || o.Err != nil {
			t.Errorf("%s: %s, %v", c.name, done(o), o.Err)
		}
	}
}

func TestAnErrorOfAnIncludedScriptHasItsName(t *testing.T) {
	o := shelf{"main": includes + `include "a";`, "a": "\nrequire \"ihave\";\nerror \"no\";"}.run(t)
	if o.Err == nil || o.Err.Error() != "a: line 3: no" || done(o) != "implicit" {
		t.Errorf("%v, %s", o.Err, done(o))
	}
	o = shelf{"main": "require \"include\";\n\ninclude \"a\";"}.run(t)
	if o.Err == nil || o.Err.Error() != `line 3: there is no script "a" to include` {
		t.Errorf("%v", o.Err)
	}
}

func TestMistakesWithInclude(t *testing.T) {
	chain := shelf{"main": `require "include"; include "s0";`}
	for i := range usualDepth + 1 {
		chain[fmt.Sprint("s", i)] = fmt.Sprintf(`require "include"; include "s%d";`, i+1)
	}
	wide := shelf{"main": "require \"include\";\n"}
	for i := range usualIncludes + 1 {
		wide[fmt.Sprint("s", i)] = "keep;"
		wide["main"] += fmt.Sprintf("include \"s%d\";\n", i)
	}
	for _, c := range []struct {
		name  string
		shelf shelf
		want  string
		n     int
	}{
		{"itself", shelf{"main": includes + `include "a";`, "a": includes + `include "a";`}, `a: line 2: the script "a" includes itself`, 2},
		{"in a circle", shelf{"main": includes + `include "a";`, "a": includes + `include "b";`, "b": includes + `include "a";`}, `b: line 2: the script "a" includes itself`, 3},
		{"too deep", chain, `more than 10 scripts include each other`, usualDepth + 1},
		{"too many", wide, `line 66: more than 64 scripts are included`, 1},
		{"mistakes in it", shelf{"main": includes + `include "a"; fileinto;`, "a": "keep;\nkep;\nfoo;"}, `a: line 2: unknown command 'kep'`, 4},
		{"a variable in the name", shelf{"main": includes + `include "${a}";`}, `no variable may stand`, 1},
		{"a path for a name", shelf{"main": includes + `include "../a";`}, `there is no / in a name`, 1},
		{"no name", shelf{"main": includes + `include "";`}, `it is empty`, 1},
		{"both places", shelf{"main": includes + `include :global :personal "a";`}, `':global' stands there already`, 1},
		{"global too late", shelf{"main": includes + `set "v" "x"; global "v";`}, `was set before`, 1},
		{"global without variables", shelf{"main": `require "include"; global "v";`}, `needs require "variables"`, 1},
		{"global of no name", shelf{"main": includes + `global "a.b";`}, `is no name of a variable`, 1},
	} {
		_, err := Compile([]byte(c.shelf["main"]), c.shelf.options())
		var problems Problems
		if !errors.As(err, &problems) || len(problems) != c.n || !strings.Contains(problems[0].Error(), c.want) {
			t.Errorf("%s: %d problems, %v", c.name, len(problems), err)
		}
	}
}

func TestAScriptThatIsNotThereIsAWarningOrAProblem(t *testing.T) {
	s := shelf{"main": "require \"include\";\ninclude \"a\";\ninclude :optional \"b\";"}
	script, err := Compile([]byte(s["main"]), s.options())
	if err != nil || len(script.Warnings) != 1 || script.Warnings[0].Line != 2 {
		t.Errorf("%v, %v", script, err)
	}
	o := s.options()
	o.MustInclude = true
	if _, err := Compile([]byte(s["main"]), o); err == nil || !strings.Contains(err.Error(), `line 2: there is no script "a"`) {
		t.Errorf("%v", err)
	}
	broken := errors.New("the disk is gone")
	o.Include = func(string, bool) ([]byte, error) { return nil, broken }
	if _, err := Compile([]byte(s["main"]), o); err == nil || !strings.Contains(err.Error(), "the disk is gone") {
		t.Errorf("%v", err)
	}
}

func TestWarningsOfAnIncludedScriptHaveItsName(t *testing.T) {
	s := shelf{"main": includes + `include "a";`, "a": "stop;\nkeep;"}
	script, err := Compile([]byte(s["main"]), s.options())
	if err != nil || len(script.Warnings) != 1 || !strings.HasPrefix(script.Warnings[0].Error(), "a: line 2: nothing behind 'stop'") {
		t.Errorf("%v, %v", script.Warnings, err)
	}
}

func TestIncludingInDoublesEndsWithTheBudget(t *testing.T) {
	s := shelf{"main": "require \"include\";\n" + strings.Repeat("include \"s0\";\n", 10)}
	for i := range usualDepth - 1 {
		s[fmt.Sprint("s", i)] = "require \"include\";\n" + strings.Repeat(fmt.Sprintf("include \"s%d\";\n", i+1), 10)
	}
	s[fmt.Sprint("s", usualDepth-1)] = "keep;"
	if o := s.run(t); !errors.Is(o.Err, ErrBudget) || !o.ImplicitKeep && done(o) != "keep" {
		t.Errorf("%v, %s", o.Err, done(o))
	}
}

func TestVariablesOfAnIncludedScriptTakeMemoryWhileItRuns(t *testing.T) {
	value := strings.Repeat("x", 10_000)
	s := shelf{"main": includes + strings.Repeat(`include "a"; `, 50), "a": includes + `set "v" "` + value + `";`}
	script, err := Compile([]byte(s["main"]), s.options())
	if err != nil {
		t.Fatal(err)
	}
	j := jobFor(t, sample)
	j.Budget.Memory = 30_000
	if o := script.Run(context.Background(), j); o.Err != nil {
		t.Errorf("%v, %+v", o.Err, o.Cost)
	}
}

func TestWhatIsIncludedCountsWithWhoIncludesIt(t *testing.T) {
	big := includes + strings.Repeat("keep;\n", 4000)
	long := includes + "# " + strings.Repeat("x", 600<<10) + "\n"
	strung := includes + "if header \"a\" [" + strings.Repeat(`"x",`, 30_000) + `"x"] { keep; }` + "\n"
	for _, c := range []struct {
		name  string
		shelf shelf
		want  string
	}{
		{"commands within the limit", shelf{"main": includes + `include "a"; include "b";`, "a": big, "b": big}, ""},
		{"too many commands", shelf{"main": includes + `include "a"; include "b"; include "c";`, "a": big, "b": big, "c": big},
			"c: line 1995: the script has more than 1994 commands and tests, which is what the scripts that it belongs to leave"},
		{"too many strings", shelf{"main": includes + `include "a"; include "b";`, "a": strung, "b": strung}, "which is what the scripts that it belongs to leave"},
		{"too many bytes", shelf{"main": includes + `include "a"; include "b";`, "a": long, "b": long}, "more bytes, commands or strings together than one script may have"},
		{"nothing is left", shelf{"main": includes + `include "a"; include "b"; include "c";`, "a": includes + strings.Repeat("keep;", 5995), "b": includes + strings.Repeat("keep;", 3999), "c": includes},
			"more bytes, commands or strings together"},
	} {
		_, err := Compile([]byte(c.shelf["main"]), c.shelf.options())
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestAScriptIsStoredBeforeWhatItIncludes is RFC 6609 3.2: nobody has to put scripts in an order.
func TestAScriptIsStoredBeforeWhatItIncludes(t *testing.T) {
	for name, c := range map[string]struct {
		shelf shelf
		want  string
	}{
		"it is not there":    {shelf{"main": includes + `include "a";`}, `there is no script "a" to include`},
		"it has mistakes":    {shelf{"main": includes + `include "a";`, "a": "keep;\nkeeep;"}, `a: line 2: unknown command 'keeep'`},
		"and so cannot be":   {shelf{"main": includes + `include "a";`, "a": "keep;\nkeeep;"}, `line 2: the script "a", which is included here, cannot be used`},
		"a circle":           {shelf{"main": includes + `include "a";`, "a": includes + `include "a";`}, `includes itself`},
		"deeper than may be": {shelf{"main": includes + `include "a";`, "a": includes + `include "b";`, "b": "keep;"}, `more than 1 scripts include each other`},
	} {
		o := c.shelf.options()
		o.Lenient, o.Depth = true, 1
		if name == "a circle" {
			o.Depth = 0
		}
		s, err := Compile([]byte(c.shelf["main"]), o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var all []string
		for _, w := range s.Warnings {
			all = append(all, w.Error())
		}
		if got := strings.Join(all, "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%s: the warnings are\n%s", name, got)
		}
		o.Lenient = false
		if _, err := Compile([]byte(c.shelf["main"]), o); err == nil && name != "it is not there" {
			t.Errorf("%s: it can run", name)
		}
	}
}
