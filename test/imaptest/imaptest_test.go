package imaptest

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// line is a reply without literals.
func line(s string) text { return text{{s: s}} }

func TestRepliesAreCompared(t *testing.T) {
	tests := []struct {
		want, got string
		ok        bool
	}{
		{"0 exists", "0 EXISTS", true},
		{"0 exists", "1 EXISTS", false},
		{"search 1 2", "SEARCH 1 2", true},
		{"search 1", "SEARCH 1 2", false},
		{"ok [unseen 1]", "OK [UNSEEN 1] The first (unseen", true},
		{"ok [unseen 1]", "OK [UNSEEN 2] The first", false},
		{"bye", "BYE see you", true},
		{"1 fetch (uid 5)", "1 FETCH (FLAGS (\\Seen) UID 5)", true},
		{"1 fetch (uid 5 flags (\\seen))", "1 FETCH (FLAGS (\\Recent \\Seen) UID 5)", true},
		{"1 fetch (flags (\\seen))", "1 FETCH (FLAGS (\\Seen \\Draft))", false},
		{"1 fetch (flags (\\seen \\draft))", "1 FETCH (FLAGS (\\Draft \\Seen))", true},
		{"1 fetch (flags ($!extra))", "1 FETCH (FLAGS (\\Seen))", true},
		{"1 fetch (flags ($!unordered $!ban=\\seen))", "1 FETCH (FLAGS (\\Seen))", false},
		{"1 fetch (flags ($!unordered $!noextra $!ignore=a b))", "1 FETCH (FLAGS (A B))", true},
		{"1 fetch (flags (\\seen \\seen))", "1 FETCH (FLAGS (\\Seen))", false},
		{"1 fetch (uid $ flags $)", "1 FETCH (UID 7 FLAGS (a b))", true},
		{"1 fetch (uid $x flags ())", "1 FETCH (UID 7 FLAGS (a))", false},
		{"1 fetch (body[header.fields (from)] \"x\")", "1 FETCH (BODY[HEADER.FIELDS (\"From\")] x)", true},
		{"1 fetch (body[text]<0> \"x\")", "1 FETCH (BODY[TEXT]<1> \"x\")", false},
		{"1 fetch (envelope (NIL \"nil\"))", "1 FETCH (ENVELOPE (NIL \"NIL\"))", true},
		{"1 fetch (envelope (NIL))", "1 FETCH (ENVELOPE (\"NIL\"))", false},
		{"1 fetch (envelope (\"NIL\"))", "1 FETCH (ENVELOPE (NIL))", false},
		{"1 fetch (envelope ((a b)))", "1 FETCH (ENVELOPE ((a b) c))", false},
		{"list () $sep a", "LIST (\\HasChildren) \"/\" a", true},
		{"list (\\noselect) $sep a", "LIST (\\HasChildren) \"/\" a", false},
		{"list () $sep a", "LIST () \"/\" a (CHILDINFO (x))", false},
		{"list () $sep ${case:InBox}", "LIST () \"/\" inbox", false},
		{"list () $sep ${case:InBox}", "LIST () \"/\" InBox", true},
		{"status m (a 1)", "STATUS m (b 2 a 1)", true},
		{"status m (a 1)", "STATUS m (b 1 a 2)", false},
		{"esearch (tag $tag) all 1:$n,$m", "ESEARCH (TAG \"T5\") ALL 1:4,7", true},
		{"esearch (tag $tag)", "ESEARCH (TAG \"T5\") ALL 1", false},
		{"x $$a", "x $a", true},
		{"x $$a", "x $$a", false},
		{"thread (1)(2 (3)(4))", "THREAD (1)(2 (3)(4))", true},
		{"thread (1)(2 (3)(4))", "THREAD (1)(2 (3 4))", false},
	}
	for _, tt := range tests {
		m := newMatcher(map[string]string{"tag": "T5"})
		if got := m.reply(line(tt.want), line(tt.got)); got != tt.ok {
			t.Errorf("%q and %q: %v", tt.want, tt.got, got)
		}
	}
}

func TestVariablesKeepTheFirstValueThatFits(t *testing.T) {
	m := newMatcher(map[string]string{})
	if m.reply(line("1 fetch (uid $u flags (a))"), line("1 FETCH (UID 5 FLAGS (b))")) || len(m.vars) != 0 {
		t.Errorf("a reply that does not fit gives %v", m.vars)
	}
	if !m.reply(line("1 fetch (uid $u)"), line("1 FETCH (UID 5)")) || m.vars["u"] != "5" {
		t.Errorf("%v", m.vars)
	}
	if m.reply(line("2 fetch (uid $u)"), line("2 FETCH (UID 6)")) {
		t.Error("a variable changes its value")
	}
	if got := m.expand("$u ${u}x $$u $other"); got != "5 5x $u $other" {
		t.Error(got)
	}
	if !m.answer(line("[copyuid $v $u $w]"), line("[COPYUID 9 5 77] done")) || m.vars["w"] != "77" {
		t.Errorf("%v", m.vars)
	}
}

func TestModSeqsGrow(t *testing.T) {
	for _, tt := range []struct {
		values [2]string
		ok     bool
	}{
		{[2]string{"2", "5"}, true}, {[2]string{"10", "13"}, true}, {[2]string{"10", "100"}, true},
		{[2]string{"1", "5"}, false}, {[2]string{"2", "4"}, false}, {[2]string{"10", "12"}, false}, {[2]string{"x", "9"}, false},
	} {
		m := newMatcher(map[string]string{})
		ok := m.reply(line("x $modseq2"), line("x "+tt.values[0])) && m.reply(line("x $modseq5"), line("x "+tt.values[1]))
		if ok != tt.ok {
			t.Errorf("%v: %v", tt.values, ok)
		}
	}
}

func TestSequenceNumbersOfTheBeginningOfACommand(t *testing.T) {
	m := newMatcher(map[string]string{})
	m.expunge(1) // 1
	m.expunge(2) // 3
	m.expunge(1) // 2
	if diff := cmp.Diff([]int{1, 2, 3}, m.expunged); diff != "" {
		t.Error(diff)
	}
	if m.present(4) != 1 || m.present(3) != 0 {
		t.Errorf("4 is now %d, 3 is now %d", m.present(4), m.present(3))
	}
	m.start()
	if m.present(4) != 4 {
		t.Error("expunges are not forgotten")
	}
}

func TestScriptIsRead(t *testing.T) {
	t.Setenv("IMAPTEST_SET", "1")
	_, err := parseScript([]byte(`capabilities: ID MOVE
connections: 2
messages: 3
state: auth
ignore_extra_untagged: no

# comment
1 ok noop
* 1 exists
! 2 exists
2 append {{{
a

}}} ~{{{
b
}}} x
2 no [trycreate]
1 t1 list "" ""
1 t2 ""
1 t1 ok
!ifenv IMAPTEST_SET
1 "" check
!else
1 ok bad1
!endif
!ifnenv IMAPTEST_SET
!ifenv IMAPTEST_SET
1 ok bad2
!else
1 ok bad3
!endif
!endif
`))
	if err == nil || !strings.Contains(err.Error(), "t2") {
		t.Errorf("an answer without a command: %v", err)
	}
	s, err := parseScript([]byte(strings.Join([]string{
		"capabilities: ID MOVE", "connections: 2", "messages: 3", "state: auth", "ignore_extra_untagged: no", "",
		"1 ok noop", "* 1 exists", "! 2 exists",
		"2 append {{{", "a", "", "}}} ~{{{", "b\r", "}}} x", "2 no [trycreate]",
		`1 t1 list "" ""`, "1 t2 noop", "1 t2 bad", "1 t1 ok",
		"!ifenv IMAPTEST_SET", `1 "" check`, "!else", "1 ok bad1", "!endif",
		"!ifnenv IMAPTEST_SET", "!ifenv IMAPTEST_SET", "1 ok bad2", "!else", "1 ok bad3", "!endif", "!endif", ""}, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range s.groups {
		for _, c := range g.commands {
			got = append(got, string(rune('1'+g.conn))+"|"+c.tag+"|"+c.text.String()+"|"+c.status+"|"+c.prefix.String())
		}
		for _, r := range g.replies {
			got = append(got, string(r.kind)+r.text.String())
		}
	}
	want := []string{"1||noop|ok|", "*1 exists", "!2 exists", "2||append {3}\r\na\r\n {2}\r\nb\r x|no|[trycreate]",
		`1|t1|list "" ""|ok|`, "1|t2|noop|bad|", "1||check||"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if s.messages != 3 || !s.strict || s.state != stateAuth || len(s.capabilities) != 2 {
		t.Errorf("%+v", s)
	}
	for _, bad := range []string{"state: foo\n\n", "* x\n", "noop\n", "connections: 2\n\nok noop\n", "ok append {{{\na\n", "!ifenv A\n", "connections: x\n\n"} {
		if _, err := parseScript([]byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// fake is a server that answers each command with the next of its answers, "T"
// standing for the tag, and leaves.
func fake(t *testing.T, answers ...string) func() (net.Conn, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			answer(c, answers)
		}
	}()
	return func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }
}

func answer(c net.Conn, answers []string) {
	defer c.Close()
	if _, err := c.Write([]byte("* OK hello\r\n")); err != nil {
		return
	}
	r := bufio.NewReader(c)
	for _, a := range answers {
		cmd, err := r.ReadString('\n')
		if err != nil {
			return
		}
		tag, _, _ := strings.Cut(cmd, " ")
		if _, err := c.Write([]byte(strings.ReplaceAll(a, "T ", tag+" "))); err != nil {
			return
		}
	}
}

func TestWrongServerIsNoticed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "default.mbox"), []byte("From a  Fri Feb 22 23:00:00 2008 +0200\nSubject: x\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := "state: nonauth\n\nok noop\n* 1 exists\n! 2 exists\n"
	for answer, want := range map[string]string{
		"* 1 EXISTS\r\nT OK\r\n":               "",
		"* 1 EXISTS\r\n* 3 EXISTS\r\nT OK\r\n": "",
		"T OK\r\n":                             "did not come",
		"* 1 EXISTS\r\nT NO\r\n":               "answered with",
		"* 1 EXISTS\r\n* 2 EXISTS\r\nT OK\r\n": "must not come",
		"* 1 EXISTS\r\n":                       "waiting",
	} {
		s, err := parseScript([]byte(script))
		if err != nil {
			t.Fatal(err)
		}
		p := &play{Config: Config{Dir: dir, Dial: fake(t, answer)}, script: s}
		err = p.all()
		p.close()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", answer, err, want)
		}
		s.strict = true
		p = &play{Config: Config{Dir: dir, Dial: fake(t, "* 1 EXISTS\r\n* 3 EXISTS\r\nT OK\r\n")}, script: s}
		if err := p.all(); err == nil || !strings.Contains(err.Error(), "not expected") {
			t.Errorf("an extra reply: %v", err)
		}
		p.close()
	}
}

func TestScriptsThatNeedMoreAreNamed(t *testing.T) {
	r := Result{Passed: []string{"a"}, Skipped: map[string]string{"sort": "the server does not advertise SORT"}}
	if got := r.String(); got != "1 scripts passed, 0 failed, 1 not run\n  sort: the server does not advertise SORT" {
		t.Errorf("%q", got)
	}
	if got := missingFrom(map[string]bool{"ID": true}, []string{"id", "Sort"}); len(got) != 1 || got[0] != "SORT" {
		t.Error(got)
	}
}
