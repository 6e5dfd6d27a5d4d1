package sieve

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

func TestFlagsAfterTheRules(t *testing.T) {
	const head = "require [\"imap4flags\", \"fileinto\", \"variables\", \"copy\"];\n"
	for _, c := range []struct{ script, done string }{
		{``, `implicit`},
		{`setflag "\\Seen";`, `implicit (\Seen)`},                       // RFC 5232 5: the implicit keep has them too
		{`setflag "a"; setflag "b"; keep;`, `keep (b)`},                 // RFC 5232 3.1
		{`setflag "a"; addflag ["b", "c d"]; keep;`, `keep (a b c d)`},  // RFC 5232 3.2
		{`addflag "a"; addflag "A"; keep;`, `keep (a)`},                 // flags have no case
		{`setflag "a b c"; removeflag ["B", "x"]; keep;`, `keep (a c)`}, // RFC 5232 3.3
		{`setflag "a"; fileinto "x"; setflag "b"; keep;`, `fileinto x (a), keep (b)`},
		{`setflag "a"; keep :flags "b c";`, `keep (b c)`}, // RFC 5232 5: the tag counts before the variable
		{`setflag "a"; keep :flags "";`, `keep`},
		{`setflag "a"; setflag ""; keep;`, `keep`},
		{`setflag "\\Recent \\Unheard (a) b* \"c ok";`, `implicit (ok)`}, // RFC 5232 2: what no message can be given is left out
		{`setflag "v" "a b"; keep;`, `keep`},                             // a variable of another name is not the internal one
		{`setflag "v" "a b"; keep :flags "${v}";`, `keep (a b)`},
		{`setflag "v" "a b"; addflag "v" "c"; removeflag "v" "a"; fileinto :copy "=${v}";`, `fileinto =b c, implicit`},
		{`fileinto "x"; fileinto :flags "a" "x";`, `fileinto x (a)`},
		{`fileinto :flags "a" "x"; fileinto :flags "b" "x";`, `fileinto x (b)`}, // the last one counts
	} {
		if got := done(outcomeOf(t, head+c.script)); got != c.done {
			t.Errorf("%s: %s, should be %s", c.script, got, c.done)
		}
	}
}

func TestHasflagAfterTheRules(t *testing.T) {
	const require = `"imap4flags", "variables", "relational", "comparator-i;ascii-numeric"`
	for _, c := range []struct {
		before, test string
		holds        bool
	}{
		{`setflag "A b";`, `hasflag "a"`, true},
		{`setflag "A b";`, `hasflag "c"`, false},
		{`setflag "A b";`, `hasflag ["c", "b"]`, true},
		{`setflag "A b";`, `hasflag "c b"`, true}, // RFC 5232 4: a text is a list with spaces
		{`setflag "A b";`, `hasflag :contains "ab"`, false},
		{`setflag "$MDNRequired";`, `hasflag :contains "MDN"`, true},
		{`setflag "$MDNRequired";`, `hasflag :matches "$*d"`, true},
		{`setflag "A b";`, `hasflag :comparator "i;octet" "a"`, false},
		{`setflag "A b";`, `hasflag ""`, false},
		{`setflag "A b a";`, `hasflag :count "eq" :comparator "i;ascii-numeric" "2"`, true},
		{`setflag "v" "x y"; setflag "w" "z";`, `hasflag ["v", "w"] "z"`, true},
		{`setflag "v" "x y"; setflag "w" "z";`, `hasflag :count "eq" :comparator "i;ascii-numeric" ["v", "w"] "3"`, true},
		{`setflag "v" "x y";`, `hasflag "x"`, false},
		{`setflag "x"; set "k" "q x";`, `hasflag "${k}"`, true},
		{`set "v" "made by  hand";`, `hasflag "v" "hand"`, true},
	} {
		o := outcomeOf(t, "require ["+require+"];\n"+c.before+" if "+c.test+" { discard; }")
		if o.Err != nil || !o.ImplicitKeep != c.holds {
			t.Errorf("%s %s: %v, %v", c.before, c.test, !o.ImplicitKeep, o.Err)
		}
	}
}

func TestFlagsThatAMessageHasAreThereFromTheBeginning(t *testing.T) {
	j := jobFor(t, sample)
	j.Message.Flags = []string{`\Seen`, "old"}
	const head = "require \"imap4flags\";\n"
	for script, want := range map[string]string{
		``:                            `implicit (\Seen old)`,
		`addflag "new"; keep;`:        `keep (\Seen old new)`,
		`removeflag "\\seen";`:        `implicit (old)`,
		`setflag "new";`:              `implicit (new)`,
		`keep :flags "only";`:         `keep (only)`,
		`if hasflag "old" {discard;}`: `discard`,
	} {
		if got := done(compiled(t, head+script).Run(context.Background(), j)); got != want {
			t.Errorf("%s: %s", script, got)
		}
	}
}

func TestFlagsStayFromScriptToScript(t *testing.T) {
	o := inSequence(t, "require \"imap4flags\";\nsetflag \"a\";", "require \"fileinto\";\nfileinto \"x\";")
	if got := done(o); got != "fileinto x (a)" {
		t.Error(got)
	}
}

func TestMoreFlagsThanThereCanBeAreDropped(t *testing.T) {
	var many strings.Builder
	for i := range 3 * maxFlags {
		fmt.Fprintf(&many, "flag%d ", i)
	}
	o := outcomeOf(t, "require \"imap4flags\";\nsetflag \""+many.String()+"\";")
	if len(o.Flags) != maxFlags || len(o.Warnings) != 1 || o.Err != nil {
		t.Errorf("%d flags, %v, %v", len(o.Flags), o.Warnings, o.Err)
	}
}

func TestMistakesWithFlags(t *testing.T) {
	for script, want := range map[string]string{
		`require "imap4flags"; setflag "v" "a";`:                                     `needs require "variables"`,
		`require ["imap4flags", "variables"]; setflag "${v}" "a";`:                   `no variable may stand`,
		`require ["imap4flags", "variables"]; setflag "1v" "a";`:                     `is no name of a variable`,
		`require ["imap4flags", "variables"]; if hasflag ["v", "a b"] "a" { keep; }`: `is no name of a variable`,
		`keep :flags "a";`: `needs require "imap4flags"`,
	} {
		if p := mistakes(t, script); len(p) == 0 || !strings.Contains(p[0].Text, want) {
			t.Errorf("%s: %v", script, p)
		}
	}
}
