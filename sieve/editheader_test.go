package sieve

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"testing"

	"postern/internal/message"
)

const plainHeader = "From: a@example.org\r\nSubject: x\r\nX-A: one\r\nX-A: two\r\nX-A: Three\r\nReceived: r\r\n"

// editedBy gives the header that a script leaves for the implicit keep.
func editedBy(t *testing.T, script string) string {
	t.Helper()
	s := compiled(t, "require [\"editheader\", \"variables\", \"relational\", \"comparator-i;ascii-numeric\", \"regex\", \"encoded-character\"];\n"+script)
	o := s.Run(context.Background(), jobFor(t, plainHeader+"\r\nText\r\n"))
	if o.Err != nil {
		t.Fatalf("%s: %v", script, o.Err)
	}
	if !o.ImplicitKeep {
		t.Errorf("%s: a change of the header cancels the implicit keep", script)
	}
	return string(o.Header)
}

func TestFieldsAreAddedBeforeOrBehindAllOthers(t *testing.T) {
	for script, want := range map[string]string{
		`addheader "X-New" "v";`:                                 "X-New: v\r\n" + plainHeader + "\r\n",
		`addheader :last "X-New" "v";`:                           plainHeader + "X-New: v\r\n\r\n",
		`addheader "X-1" "v"; addheader "X-2" "v";`:              "X-2: v\r\nX-1: v\r\n" + plainHeader + "\r\n",
		`addheader :last "X-1" "v"; addheader :last "X-2" "v";`:  plainHeader + "X-1: v\r\nX-2: v\r\n\r\n",
		`addheader "X-New" "  spaces  ";`:                        "X-New: spaces\r\n" + plainHeader + "\r\n",
		`addheader "X-New" "";`:                                  "X-New: \r\n" + plainHeader + "\r\n",
		`set "v" "two"; addheader "X-${v}" "${v} ${v}";`:         "X-two: two two\r\n" + plainHeader + "\r\n",
		"addheader \"X-New\" \"a\r\n\r\n b\nc\r\n\";":            "X-New: a\r\n b\r\n c\r\n" + plainHeader + "\r\n",
		"addheader \"X-New\" \"a\r\nBcc: all@example.org\";":     "X-New: a\r\n Bcc: all@example.org\r\n" + plainHeader + "\r\n",
		"addheader \"X-New\" \"a${hex:0d}Bcc: e@example.org\";":  "X-New: a Bcc: e@example.org\r\n" + plainHeader + "\r\n",
		`addheader "X-New" "Grüße";`:                             "X-New: =?utf-8?b?R3LDvMOfZQ==?=\r\n" + plainHeader + "\r\n",
		`addheader "X-New" "Viele freundliche Grüße von weit";`:  "X-New: =?utf-8?q?Viele_freundliche_Gr=C3=BC=C3=9Fe_von_weit?=\r\n" + plainHeader + "\r\n",
		`addheader "Received" "mine";`:                           "Received: mine\r\n" + plainHeader + "\r\n",
		`addheader "X-New" "v"; deleteheader "x-new";`:           plainHeader + "\r\n",
		`keep; addheader "X-New" "v"; deleteheader "x-missing";`: "",
	} {
		if want == "" {
			continue
		}
		if got := editedBy(t, script); got != want {
			t.Errorf("%s gives\n%s", script, got)
		}
	}
}

func TestFieldsAreDeletedAsTheirValuesMatch(t *testing.T) {
	without := func(lines ...string) string {
		h := plainHeader
		for _, line := range lines {
			h = strings.Replace(h, "X-A: "+line+"\r\n", "", 1)
		}
		return h + "\r\n"
	}
	for script, want := range map[string]string{
		`deleteheader "x-a";`:                                                       without("one", "two", "Three"),
		`deleteheader "x-a" "three";`:                                               without("Three"),
		`deleteheader :comparator "i;octet" "x-a" "three";`:                         "",
		`deleteheader :contains "x-a" "E";`:                                         without("one", "Three"),
		`deleteheader :matches "x-a" ["t*", "zzz"];`:                                without("two", "Three"),
		`deleteheader :regex "x-a" "^(one|two)$";`:                                  without("one", "two"),
		`deleteheader :value "gt" "x-a" "three";`:                                   without("two"),
		`deleteheader :index 2 "x-a";`:                                              without("two"),
		`deleteheader :index 1 :last "x-a";`:                                        without("Three"),
		`deleteheader :index 1 "x-a" "two";`:                                        "", // the first has another value (RFC 5293 5)
		`deleteheader :index 4 "x-a";`:                                              "",
		`deleteheader :count "eq" :comparator "i;ascii-numeric" "x-a" "3";`:         without("one", "two", "Three"),
		`deleteheader :count "eq" :comparator "i;ascii-numeric" "x-a" "2";`:         "",
		`deleteheader :matches "x-a";`:                                              without("one", "two", "Three"),
		`deleteheader "x-missing";`:                                                 "",
		`deleteheader "received";`:                                                  "", // RFC 5293 6
		`set "r" "Received"; deleteheader "${r}";`:                                  "",
		`set "n" "x-a"; set "v" "two"; deleteheader "${n}" "${v}";`:                 without("two"),
		`deleteheader :index 1 "x-a"; deleteheader :index 1 "x-a";`:                 without("one", "two"),
		`deleteheader "x-a" "two"; addheader "X-A" "two"; deleteheader "x-a" "t*";`: "X-A: two\r\n" + without("two"),
	} {
		if got := editedBy(t, script); got != want {
			t.Errorf("%s gives\n%q, should be\n%q", script, got, want)
		}
	}
}

func TestWhatWasChangedIsSeenByTestsBehindIt(t *testing.T) {
	const head = "require [\"editheader\", \"index\"];\n"
	for script, holds := range map[string]bool{
		`addheader "X-New" "Grüße"; if header "x-new" "GRüßE" { discard; }`:                          true,
		`addheader "Subject" "y"; if header :index 1 "subject" "y" { discard; }`:                     true,
		`if header "subject" "x" { deleteheader "subject"; if not exists "subject" { discard; } }`:   true,
		`if exists "x-new" { stop; } addheader "X-New" "v"; if exists "x-new" { discard; }`:          true,
		`addheader "Cc" "Eve <eve@example.net>"; if address :domain "cc" "example.net" { discard; }`: true,
		`deleteheader :index 2 "x-a"; if header "x-a" "two" { discard; }`:                            false,
		fmt.Sprintf(`addheader "X-New" "v"; if size :over %d { discard; }`, len(plainHeader)+10):     true,
		fmt.Sprintf(`deleteheader "x-a"; if size :under %d { discard; }`, len(plainHeader)+9-10):     true,
		`addheader :last "X-New" "v"; if header :index 1 :last "x-new" "v" { discard; }`:             true,
		`if size :over 1 { addheader "X-New" "1"; } if header "x-new" "1" { addheader "X-New" "2"; } ` +
			`if header :index 1 "x-new" "2" { discard; }`: true,
	} {
		o := compiled(t, head+script).Run(context.Background(), jobFor(t, plainHeader+"\r\nText\r\n"))
		if o.Err != nil || o.ImplicitKeep == holds {
			t.Errorf("%s: %v, %v", script, !o.ImplicitKeep, o.Err)
		}
	}
}

func TestEachActionHasTheHeaderOfItsTime(t *testing.T) {
	o := outcomeOf(t, "require [\"editheader\", \"fileinto\", \"copy\"];\nfileinto :copy \"a\"; addheader \"X-New\" \"1\"; fileinto :copy \"b\"; redirect :copy \"x@example.net\";\n"+
		"deleteheader \"x-new\"; addheader \"X-New\" \"2\"; fileinto :copy \"b\";")
	if got := done(o); got != "fileinto a, fileinto b, redirect x@example.net, implicit" {
		t.Fatal(got)
	}
	has := func(h []byte) string { return message.ParseHeader(h).Get("x-new") }
	if a := o.Actions; a[0].Header != nil || has(a[1].Header) != "1" || has(a[2].Header) != "1" || has(o.Header) != "2" {
		t.Errorf("%+v", a)
	}
}

func TestAScriptThatFailsLeavesTheHeaderAsItWas(t *testing.T) {
	first := compiled(t, "require \"editheader\";\naddheader \"X-First\" \"1\";")
	second := compiled(t, "require [\"editheader\", \"ihave\", \"fileinto\"];\naddheader \"X-Second\" \"2\"; fileinto \"a\"; deleteheader \"x-first\"; error \"no\";")
	o := Sequence{first, second}.Run(context.Background(), jobFor(t, sample))
	h := message.ParseHeader(o.Header)
	if o.Err == nil || h.Get("x-first") != "1" || h.Get("x-second") != "" || h.Get("subject") == "" {
		t.Errorf("%v, %q", o.Err, o.Header)
	}
	if h := message.ParseHeader(o.Actions[0].Header); h.Get("x-first") != "1" || h.Get("x-second") != "2" {
		t.Errorf("%q", o.Actions[0].Header)
	}
}

func TestFieldsThatAreProtectedAreLeftAlone(t *testing.T) {
	policy := EditPolicy{NoAdd: []string{"x-S*", "subject"}, NoDelete: []string{"x-a", "Subject", "*"}}
	const script = "require \"editheader\";\naddheader \"x-seal\" \"1\"; deleteheader \"X-A\"; deleteheader \"Auto-Submitted\"; deleteheader \"subject\"; addheader \"Subject\" \"y\";"
	s, err := Compile([]byte(script), Options{Edits: policy})
	if err != nil {
		t.Fatal(err)
	}
	j := jobFor(t, plainHeader+"Auto-Submitted: no\r\n\r\n")
	j.Edits = policy
	o := s.Run(context.Background(), j)
	want := "Subject: y\r\n" + strings.Replace(plainHeader, "Subject: x\r\n", "", 1) + "Auto-Submitted: no\r\n\r\n"
	if o.Err != nil || string(o.Header) != want {
		t.Errorf("%v, %q", o.Err, o.Header)
	}
	if len(s.Warnings) != 3 || len(o.Warnings) != 3 {
		t.Errorf("warnings %q and %q", s.Warnings, o.Warnings)
	}
}

func TestAddedFieldsCanBeSentAndReadBack(t *testing.T) {
	for _, value := range []string{
		"short", strings.Repeat("many words ", 40), strings.Repeat("longword", 240), strings.Repeat("Größe ", 60), strings.Repeat("日本語", 100),
		"=?utf-8?q?no_word?=x ü", "a\tb", strings.Repeat("a", 76) + " b", "x " + strings.Repeat("y", 1500) + " z",
	} {
		raw := string(writeField("X-Name", value))
		for i, line := range strings.Split(strings.TrimSuffix(raw, "\r\n"), "\r\n") {
			if len(line) > 998 || strings.TrimSpace(line) == "" || i > 0 && line[0] != ' ' && line[0] != '\t' || strings.ContainsAny(line, "\r\n") {
				t.Errorf("%q has the line %q", value, line)
			}
		}
		m, err := netmail.ReadMessage(strings.NewReader(raw + "\r\n"))
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if got, want := message.DecodeHeader(m.Header.Get("x-name")), strings.ReplaceAll(strings.TrimSpace(value), "\t", " "); strings.ReplaceAll(got, "\t", " ") != want {
			t.Errorf("%q is read as %q", value, got)
		}
	}
}

func TestMistakesInEditsAreTold(t *testing.T) {
	for script, why := range map[string]string{
		`addheader "X:Y" "v";`:                               "the field name \"X:Y\" is invalid",
		`addheader "" "v";`:                                  "is invalid",
		`addheader "Ü" "v";`:                                 "is invalid",
		"addheader \"X\" \"a${hex:07}b\";":                   "it has control characters",
		"addheader \"X\" \"a${hex:00}b\";":                   "it has control characters",
		"addheader \"X\" \"${hex:ff}\";":                     "it is not UTF-8",
		`addheader "X";`:                                     "requires 2 positional arguments",
		`addheader "X" ["a"];`:                               "expects a string as argument 2",
		`addheader "X" "` + strings.Repeat("a", 5000) + `";`: "it is too long",
		`deleteheader;`:                                      "requires 2 positional arguments",
		`deleteheader "X" "a" "b";`:                          "requires 2 positional arguments",
		`deleteheader :last "X Y";`:                          "the tag ':last' goes with ':index'",
		`deleteheader :index 0 "X";`:                         "counted from 1",
		`deleteheader "X Y";`:                                "is invalid",
		`deleteheader :is :contains "X" "y";`:                "stands there already",
	} {
		problems := mistakes(t, "require [\"editheader\", \"encoded-character\"];\n"+script)
		if len(problems) != 1 || !strings.Contains(problems[0].Text, why) {
			t.Errorf("%.60s: %v", script, problems)
		}
	}
}

func TestNamesAndValuesMadeOfVariablesAreCheckedWhenTheyAreUsed(t *testing.T) {
	for script, why := range map[string]string{
		`set "n" "a b"; addheader "${n}" "v";`:       "the field name \"a b\" is invalid",
		`set "n" "a b"; deleteheader "${n}";`:        "the field name \"a b\" is invalid",
		`set "v" "${hex:07}"; addheader "X" "${v}";`: "control characters",
	} {
		o := outcomeOf(t, "require [\"editheader\", \"variables\", \"encoded-character\"];\n"+script)
		if o.Err == nil || !strings.Contains(o.Err.Error(), why) || o.Header != nil || !o.ImplicitKeep {
			t.Errorf("%s: %v", script, o.Err)
		}
	}
}

func TestEditsWithoutEndAreEnded(t *testing.T) {
	script := "require [\"editheader\", \"variables\"];\nset \"v\" \"" + strings.Repeat("v ", 1500) + "\";\n" +
		strings.Repeat("addheader \"X-New\" \"${v}\"; deleteheader \"x-new\";\n", 1000)
	o := outcomeOf(t, script)
	if !errors.Is(o.Err, ErrBudget) || o.Header != nil || !o.ImplicitKeep {
		t.Errorf("%v, %+v", o.Err, o.Cost)
	}
}

func TestAHeaderThatIsTooLargeToKnowIsNotChanged(t *testing.T) {
	mail := strings.Repeat("X-A: 1\r\n", message.DefaultLimits.Fields+10) + "\r\nText"
	o := compiled(t, "require \"editheader\";\naddheader \"X-New\" \"v\"; deleteheader \"x-a\";").Run(context.Background(), jobFor(t, mail))
	if o.Err != nil || o.Header != nil || len(o.Warnings) != 2 {
		t.Errorf("%v, %d bytes, %v", o.Err, len(o.Header), o.Warnings)
	}
}
