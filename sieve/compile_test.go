package sieve

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTheCheckerSaysWhatIsWrongAndWhere(t *testing.T) {
	for _, c := range []struct{ script, problem string }{
		{"keep;\n\n\nfileinto \"x\";", `line 4: the command 'fileinto' needs require "fileinto" at the top of the script`},
		{"if envelope \"to\" \"x\" { }", `line 1: the test 'envelope' needs require "envelope" at the top of the script`},
		{"if header :count \"gt\" \"a\" \"1\" { }", `line 1: the tag ':count' needs require "relational" at the top of the script`},
		{"if header :comparator \"i;ascii-numeric\" \"a\" \"1\" { }",
			`line 1: the comparator 'i;ascii-numeric' needs require "comparator-i;ascii-numeric" at the top of the script`},
		{"if header :comparator \"i;basic\" \"a\" \"1\" { }", `line 1: unknown comparator 'i;basic' for the header test`},
		{"require \"comparator-i;ascii-numeric\";\nif header :contains :comparator \"i;ascii-numeric\" \"a\" \"1\" { }",
			`line 2: the comparator 'i;ascii-numeric' cannot be used with :contains; it knows numbers only`},
		{"require \"relational\";\nif header :value \"more\" \"a\" \"1\" { }", `line 2: 'more' is no relation; there are gt, ge, lt, le, eq and ne`},
		{"require \"imapflags\";", `line 1: there is no extension "imapflags" here; did you mean 'imap4flags'?`},
		{"require \"keep\";", `line 1: "keep" is no extension but belongs to the language; take it out of the list`},
		{"keep;\nrequire \"copy\";", `line 2: require must come before all other commands; move it to the top of the script`},
		{"discrad;", `line 1: unknown command 'discrad'; did you mean 'discard'?`},
		{"if haeder \"a\" \"b\" { }", `line 1: unknown test 'haeder'; did you mean 'header'?`},
		{"if header :contians \"a\" \"b\" { }", `line 1: unknown tagged argument ':contians' for the header test; did you mean ':contains'?`},
		{"if header :is :matches \"a\" \"b\" { }", `line 1: unexpected tag ':matches' for the header test; ':is' stands there already`},
		{"if header \"a\" :is \"b\" { }", `line 1: unexpected tag ':is' behind the positional arguments of the header test; tags come first`},
		{"header \"a\" \"b\";", `line 1: cannot use test 'header' as a command; it belongs behind if`},
		{"if keep { }", `line 1: cannot use command 'keep' as a test`},
		{"keep\nstop;", `line 2: missing semicolon after the keep command, before 'stop'`},
		{"else { keep; }", `line 1: this else follows no if; begin with if`},
		{"if true { } else if true { }", `line 1: 'else if' is written 'elsif'`},
		{"if not (true) { }", `line 1: the not test requires one test, but a list of tests is specified`},
		{"if anyof true { }", `line 1: the anyof test requires a list of tests in parentheses`},
		{"if true;", `line 1: the if command requires a block in braces, but none is specified`},
		{"stop { keep; }", `line 1: the stop command accepts no block, but one is specified; end it with a semicolon`},
		{"if size 5 { }", `line 1: the size test requires the tag ':over' or ':under'`},
		{"if address \"subject\" \"x\" { }", `line 1: the field 'subject' holds no addresses; it is not allowed for the address test`},
		{"redirect \"joe\";", `line 1: "joe" is no mail address to redirect to`},
		{"require \"fileinto\";\nfileinto \"\";", `line 2: "" is no name of a mailbox: it is empty`},
		{"require \"regex\";\nif header :regex \"a\" \"(\" { }", `line 2: invalid regular expression: missing closing ) at "("`},
		{"require \"variables\";\nset \"a-b\" \"x\";", `line 2: 'a-b' is no name of a variable; it begins with a letter and has letters, digits and underscores`},
	} {
		problems := mistakes(t, c.script)
		if len(problems) == 0 {
			t.Errorf("%q: no problem was found", c.script)
			continue
		}
		if got := problems[0].Error(); got != c.problem {
			t.Errorf("%q:\n got %s\nwant %s", c.script, got, c.problem)
		}
	}
}

func TestAColonThatIsMissingIsTold(t *testing.T) {
	problems := mistakes(t, "if header contains \"a\" \"b\" { }")
	if len(problems) != 2 || problems[1].Text != "missing colon before the 'contains' tag of the header test; write ':contains'" {
		t.Errorf("%v", problems)
	}
}

func TestAllMistakesAreToldAtOnceInTheOrderOfTheirLines(t *testing.T) {
	problems := mistakes(t, "keeep;\nif true {\n  fileinto \"x\";\n}\nif foo { }\n")
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	if !slices.Equal(lines, []int{1, 3, 5}) {
		t.Errorf("problems in the lines %v: %v", lines, problems)
	}
	if got := problems.Error(); !strings.HasSuffix(got, "(and 2 more)") {
		t.Errorf("the error says %q", got)
	}
}

func TestAMessageIsShortWhateverStandsInTheScript(t *testing.T) {
	for _, p := range mistakes(t, "redirect \""+strings.Repeat("ä", 100_000)+"\";") {
		if len(p.Text) > 300 {
			t.Errorf("the message has %d bytes", len(p.Text))
		}
	}
	if n := len(mistakes(t, strings.Repeat("foo;", 5000))); n > maxProblems {
		t.Errorf("%d problems are told", n)
	}
}

func TestWarningsTellOfWhatRunsButCannotBeMeant(t *testing.T) {
	const all = "require [\"envelope\", \"fileinto\", \"ihave\", \"subaddress\", \"spamtest\", \"relational\", \"comparator-i;ascii-numeric\"];\n"
	for _, c := range []struct{ script, warning string }{
		{"stop;\nkeep;", "line 3: nothing behind 'stop' is run; take it out, or put it before"},
		{"if true { error \"x\"; keep; }", "line 2: nothing behind 'error' is run; take it out, or put it before"},
		{"if header \"subject\" \" x\" { }", "line 2: this header test never holds for \" x\": the values of fields are compared without the spaces around them"},
		{"if address :domain \"from\" \"@a\" { }", "line 2: this address test never holds for \"@a\": a domain has no @; with :all the whole address is compared"},
		{"if address :user \"from\" \"a@b\" { }", "line 2: this address test never holds for \"a@b\": what stands before the @ has none itself; with :all the whole address is compared"},
		{"if envelope \"from\" \"*@b\" { }", "line 2: this envelope test never holds for \"*@b\": with :is a key is the address alone; a * stands for any text with :matches"},
		{"if exists \"from:\" { }", "line 2: \"from:\" is no name of a header field, so the exists test never finds one; write the name alone, without a colon"},
		{"if spamtest :value \"ge\" \"5\" { }", "line 2: the spamtest test compares text here, and 10 stands before 2; add :comparator \"i;ascii-numeric\""},
		{"if spamtest :value \"ge\" :comparator \"i;ascii-numeric\" \"5\" { }", ""},
		{"if header :contains \"subject\" \"***\" { fileinto \"x\"; stop; }\nkeep;", ""},
		{"if address :matches \"from\" \"*@b\" { }", ""},
	} {
		s := compiled(t, all+c.script)
		got := ""
		for _, w := range s.Warnings {
			got += w.Error()
		}
		if got != c.warning {
			t.Errorf("%q:\n got %s\nwant %s", c.script, got, c.warning)
		}
	}
}

func TestAScriptTellsWhatItRequires(t *testing.T) {
	_, err := Compile([]byte("require \"copies\";"), Options{})
	if err == nil || !strings.Contains(err.Error(), `no extension "copies"`) {
		t.Errorf("%v", err)
	}
	if s := compiled(t, "require [\"copy\", \"Variables\"];"); !s.Requires("copy") || !s.Requires("variables") || s.Requires("regex") {
		t.Error("Requires does not say what the script requires")
	}
}

// A script may be small while what its patterns come to is not.
func TestPatternsThatAreTooCostlyTogetherAreRefused(t *testing.T) {
	var script strings.Builder
	script.WriteString("require \"regex\";\n")
	for i := range 1000 {
		fmt.Fprintf(&script, "if header :regex \"a\" \"(x%d){900}\" { }\n", i)
	}
	problems := mistakes(t, script.String())
	if len(problems) != 1 || !strings.Contains(problems[0].Text, "too costly together") {
		t.Errorf("%v", problems)
	}
	if problems := mistakes(t, "require \"regex\";\nif header :regex \"a\" \"((a{100}){100})\" { }"); len(problems) != 1 {
		t.Errorf("%v", problems)
	}
}
