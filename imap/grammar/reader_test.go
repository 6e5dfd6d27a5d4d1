package grammar

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// wantError reads a command that must be refused.
func wantError(t *testing.T, r *Reader) *Error {
	t.Helper()
	q, err := r.ReadCommand()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("read %+v, %v, want an *Error", q, err)
	}
	return e
}

// wantNoop reads a NOOP, which shows that the reader is at the start of a command.
func wantNoop(t *testing.T, r *Reader, tag string) {
	t.Helper()
	q, err := r.ReadCommand()
	if err != nil {
		t.Fatalf("after the refused command: %v", err)
	}
	if _, ok := q.Command.(*Noop); !ok || q.Tag != tag {
		t.Fatalf("after the refused command: %+v, want %s NOOP", q, tag)
	}
}

func TestReaderFindsTheNextCommandAfterAnError(t *testing.T) {
	big := strings.Repeat("x", 2<<20)
	tests := []struct {
		name, input string
		tag, code   string
	}{
		{"syntax", "a FOO\r\n", "a", ""},
		{"no tag", "\"x\r\n", "", ""},
		{"literal not invited", "a FOO {3}\r\n", "a", ""},
		{"literal already sent", "a FOO {3+}\r\nx\r\n y {4+}\r\nb B\n z\r\n", "a", ""},
		{"error behind a literal", "a LOGIN {3+}\r\nxyz (\r\n", "a", ""},
		{"error behind a literal, another to come", "a LOGIN {3+}\r\nxyz( {8+}\r\nb NOOP\r\n\r\n", "a", ""},
		{"literal too long", "a LOGIN {300000+}\r\n" + big[:300000] + " x\r\n", "a", "TOOBIG"},
		{"literal too long, not sent", "a LOGIN {300000}\r\n", "a", "TOOBIG"},
		{"line too long", "a LOGIN " + big + "\r\n", "a", "LIMIT"},
		{"line too long, then a literal", "a LOGIN " + big + " {8+}\r\nb NOOP\r\nx\r\n", "a", "LIMIT"},
		{"bare LF", "a NOOP\n", "a", ""},
		{"empty with bare LF", "\n", "", ""},
		{"APPEND too big", "a APPEND x {2000000+}\r\n" + big[:2000000] + "\r\n", "a", "TOOBIG"},
		{"APPEND too big, not sent", "a APPEND x {2000000}\r\n", "a", "TOOBIG"},
		{"APPEND of several", "a APPEND x (\\Foo) {3+}\r\nxyz {4+}\r\nabcd\r\n", "a", ""},
		{"many ranges", "a FETCH " + strings.Repeat("1,3,", 100_001) + "1 UID\r\n", "a", "LIMIT"},
		{"many flags", "a STORE 1 FLAGS (" + strings.Repeat("a ", 10_001) + "b)\r\n", "a", "LIMIT"},
		{"unknown charset", "a SEARCH CHARSET {1+}\r\nx FROM {1+}\r\n\xff\r\n", "a", "BADCHARSET (US-ASCII UTF-8)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, src := range []io.Reader{strings.NewReader(tt.input + "b NOOP\r\n"),
				iotest.HalfReader(strings.NewReader(tt.input + "b NOOP\r\n"))} {
				r := NewReader(src, AfterLogin(1<<20), func(Literal) error { t.Error("a literal is invited"); return nil })
				e := wantError(t, r)
				if e.Tag != tt.tag || e.Code != tt.code || e.Fatal {
					t.Errorf("error %+v", e)
				}
				wantNoop(t, r, "b")
			}
		})
	}
}

func TestLiteralOnlyComesWhenInvited(t *testing.T) {
	r, invited := newTestReader("a LOGIN {5}\r\nalice {3+}\r\nfoo\r\n", false)
	if _, err := r.ReadCommand(); err != nil {
		t.Fatal(err)
	}
	want := []Literal{{Tag: "a", Command: "LOGIN", Size: 5}}
	if diff := cmp.Diff(want, *invited); diff != "" {
		t.Error(diff)
	}
}

func TestSessionMayRefuseALiteral(t *testing.T) {
	r := NewReader(strings.NewReader("a LOGIN {5}\r\nb NOOP\r\n"), AfterLogin(0), func(Literal) error {
		return &Error{No: true, Code: "LIMIT", Text: "Not now"}
	})
	e := wantError(t, r)
	if got := string(e.Append(nil)); got != "a NO [LIMIT] Not now\r\n" {
		t.Errorf("answer %q", got)
	}
	wantNoop(t, r, "b")
}

func TestErrorOfInvitationEndsTheConnection(t *testing.T) {
	broken := errors.New("broken")
	r := NewReader(strings.NewReader("a LOGIN {5}\r\n"), AfterLogin(0), func(Literal) error { return broken })
	if _, err := r.ReadCommand(); err != broken {
		t.Errorf("%v", err)
	}
}

func TestLimitsBeforeLogin(t *testing.T) {
	tests := []struct {
		name, input string
		fatal       bool
	}{
		{"line of 8 KiB", "a LOGIN x " + strings.Repeat("y", 8<<10) + "\r\n", false},
		{"literal of 4 KiB", "a LOGIN {4097}\r\n", false},
		{"literals together", "a LOGIN {4096+}\r\n" + strings.Repeat("x", 4096) + " {4096+}\r\n" + strings.Repeat("x", 4096) + "\r\n", false},
		{"huge literal", "a LOGIN {100000+}\r\n", true},
		{"message", "a APPEND x {1}\r\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader(strings.NewReader(tt.input+"b NOOP\r\n"), BeforeLogin(), nil)
			e := wantError(t, r)
			if e.Fatal != tt.fatal {
				t.Errorf("error %+v", e)
			}
			if !tt.fatal {
				wantNoop(t, r, "b")
			}
		})
	}
}

func TestEndlessLineBeforeLoginIsGivenUp(t *testing.T) {
	src := &endless{}
	r := NewReader(src, BeforeLogin(), nil)
	if e := wantError(t, r); e.Fatal {
		t.Errorf("error %+v", e)
	}
	if e := wantError(t, r); !e.Fatal {
		t.Errorf("error %+v", e)
	}
	if src.n > 100<<10 {
		t.Errorf("%d bytes were read", src.n)
	}
	if len(r.buf) > 32<<10 {
		t.Errorf("the buffer has %d bytes", len(r.buf))
	}
}

// endless is a client that never ends its line.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	n := min(len(p), 1000)
	e.n += n
	for i := range n {
		p[i] = 'x'
	}
	return n, nil
}

func TestIDBeforeLoginMayBeAsLongAsItsOwnRulesSay(t *testing.T) {
	pair := ` "` + strings.Repeat("n", 30) + `" "` + strings.Repeat("v", 1024) + `"`
	line := "a id (" + strings.Repeat(pair, 30)[1:] + ")\r\n"
	r := NewReader(iotest.HalfReader(strings.NewReader(line+"b NOOP\r\n")), BeforeLogin(), nil)
	q, err := r.ReadCommand()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(q.Command.(*ID).Fields); n != 30 {
		t.Errorf("%d fields", n)
	}
	wantNoop(t, r, "b")
	if len(r.buf) != len(r.small) {
		t.Errorf("between commands the buffer has %d bytes", len(r.buf))
	}
}

func TestLongUIDSetsAreTaken(t *testing.T) {
	var b strings.Builder
	b.WriteString("a SELECT x (QRESYNC (1 1 1")
	for n := 3; n < 200_000; n += 2 {
		b.WriteByte(',')
		b.WriteString(string(appendSeqNumber(nil, uint32(n))))
	}
	b.WriteString("))\r\n")
	r := NewReader(strings.NewReader(b.String()), AfterLogin(1), nil)
	q, err := r.ReadCommand()
	if err != nil {
		t.Fatal(err)
	}
	if n := q.Command.(*Select).QResync.KnownUIDs.Count(); n != 100_000 {
		t.Errorf("%d UIDs", n)
	}
}

// appended is what came in with one message.
type appended struct {
	Flags []string
	Date  string
	Body  string
	Flag  string
}

func readAppend(t *testing.T, a *Append) ([]appended, error) {
	t.Helper()
	var got []appended
	for {
		i, err := a.Next()
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		body, err := io.ReadAll(iotest.OneByteReader(i))
		if err != nil {
			return got, err
		}
		m := appended{Flags: i.Flags, Body: string(body)}
		if !i.Internal.IsZero() {
			m.Date = string(AppendInternalDate(nil, i.Internal))
		}
		for _, f := range []struct {
			on bool
			s  string
		}{{i.Sync, "s"}, {i.Binary, "b"}, {i.UTF8, "u"}} {
			if f.on {
				m.Flag += f.s
			}
		}
		if int64(len(body)) != i.Size {
			t.Errorf("%d bytes, announced %d", len(body), i.Size)
		}
		got = append(got, m)
	}
}

func TestMessagesOfAppendAreStreamed(t *testing.T) {
	input := "a APPEND x (\\Seen foo) \" 1-Feb-2020 03:04:05 -0130\" {5}\r\nab\r\nc {0+}\r\n ~{2+}\r\n\x00\x01 () UTF8 (~{1+}\r\n\xff)\r\nb NOOP\r\n"
	for _, slow := range []bool{false, true} {
		r, invited := newTestReader(input, slow)
		q, err := r.ReadCommand()
		if err != nil {
			t.Fatal(err)
		}
		a := q.Command.(*Append)
		if a.Mailbox != "x" || len(*invited) != 0 {
			t.Errorf("mailbox %q, %d literals invited before the session looked", a.Mailbox, len(*invited))
		}
		got, err := readAppend(t, a)
		if err != nil {
			t.Fatal(err)
		}
		want := []appended{
			{Flags: []string{`\Seen`, "foo"}, Date: `"01-Feb-2020 03:04:05 -0130"`, Body: "ab\r\nc", Flag: "s"},
			{Body: ""}, {Body: "\x00\x01", Flag: "b"}, {Body: "\xff", Flag: "bu"},
		}
		if diff := cmp.Diff(want, got, ignoreWire); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]Literal{{"a", "APPEND", 5, true}}, *invited); diff != "" {
			t.Error(diff)
		}
		wantNoop(t, r, "b")
	}
}

func TestSessionMayStopAnAppendAnywhere(t *testing.T) {
	sync := "a APPEND x {5}\r\n"
	nonsync := "a APPEND x {5+}\r\nhello {7+}\r\n world!\r\n"
	stops := map[string]func(*Append){
		"before the first message": func(*Append) {},
		"before it is read":        func(a *Append) { a.Next() },
		"within it":                func(a *Append) { i, _ := a.Next(); i.Read(make([]byte, 2)) },
		"behind it":                func(a *Append) { i, _ := a.Next(); io.ReadAll(i) },
		"before the second":        func(a *Append) { a.Next(); a.Next() },
		"within the second":        func(a *Append) { a.Next(); i, _ := a.Next(); i.Read(make([]byte, 1)) },
		"at the end":               func(a *Append) { a.Next(); a.Next(); a.Next() },
	}
	for name, stop := range stops {
		t.Run(name, func(t *testing.T) {
			r, _ := newTestReader(nonsync+"b NOOP\r\n", false)
			q, err := r.ReadCommand()
			if err != nil {
				t.Fatal(err)
			}
			stop(q.Command.(*Append))
			wantNoop(t, r, "b")
		})
	}
	for _, name := range []string{"before the first message", "before it is read"} {
		r, invited := newTestReader(sync+"b NOOP\r\n", false)
		q, err := r.ReadCommand()
		if err != nil {
			t.Fatal(err)
		}
		stops[name](q.Command.(*Append))
		wantNoop(t, r, "b")
		if len(*invited) != 0 {
			t.Error("the literal was invited")
		}
	}
}

func TestErrorsWithinAppend(t *testing.T) {
	for _, tt := range []struct{ rest, text string }{
		{" foo\r\n", "literal"},
		{" {9999999}\r\n", "too big"},
		{" {9999999+}\r\n" + strings.Repeat("x", 9999999) + "\r\n", "too big"},
		{"x\r\n", "space"},
		{" (\\Foo) {1}\r\n", "system flag"},
	} {
		r, _ := newTestReader("a APPEND x {2+}\r\nhi"+tt.rest+"b NOOP\r\n", false)
		q, err := r.ReadCommand()
		if err != nil {
			t.Fatal(err)
		}
		a := q.Command.(*Append)
		got, err := readAppend(t, a)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Text, tt.text) || e.Tag != "a" || len(got) != 1 {
			t.Errorf("%q: %v after %d messages", tt.rest, err, len(got))
		}
		if _, again := a.Next(); again != err {
			t.Errorf("the next call gives %v", again)
		}
		wantNoop(t, r, "b")
	}
}

func TestAppendOfAMessageTooBigToSkipIsFatal(t *testing.T) {
	r, _ := newTestReader("a APPEND x {99999999999+}\r\n", false)
	e := wantError(t, r)
	if !e.Fatal || e.Code != "TOOBIG" {
		t.Errorf("%+v", e)
	}
	if got := string(e.Append(nil)); got != "a NO [TOOBIG] The message is too big\r\n* BYE Closing the connection\r\n" {
		t.Errorf("%q", got)
	}
}

func TestConnectionThatBreaksIsToldFromOneThatEnds(t *testing.T) {
	for input, want := range map[string]error{
		"":                               io.EOF,
		"\r\n":                           io.EOF,
		"a NO":                           io.ErrUnexpectedEOF,
		"a LOGIN {3+}\r\n":               io.ErrUnexpectedEOF,
		"a LOGIN {3+}\r\nabc":            io.ErrUnexpectedEOF,
		"a LOGIN {3+}\r\nabc {1+}\r\nx":  io.ErrUnexpectedEOF,
		"a LOGIN {3}\r\n":                io.ErrUnexpectedEOF,
		"a LOGIN {3+}\r\nabc {1+}\r\nx ": io.ErrUnexpectedEOF,
	} {
		r, _ := newTestReader(input, false)
		if _, err := r.ReadCommand(); err != want {
			t.Errorf("%q: %v, want %v", input, err, want)
		}
	}
	r, _ := newTestReader("a APPEND x {3+}\r\nab", false)
	q, err := r.ReadCommand()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readAppend(t, q.Command.(*Append)); err != io.ErrUnexpectedEOF {
		t.Errorf("within a message: %v", err)
	}
}

func TestIdleEndsWithDone(t *testing.T) {
	r, _ := newTestReader("a IDLE\r\ndone\r\nb IDLE\r\nc NOOP\r\nd NOOP\r\n", false)
	if _, err := r.ReadCommand(); err != nil {
		t.Fatal(err)
	}
	if r.Buffered() == 0 {
		t.Error("nothing is buffered")
	}
	if err := r.ReadDone(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadCommand(); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if err := r.ReadDone(); !errors.As(err, &e) || e.Tag != "b" {
		t.Fatal(err)
	}
	wantNoop(t, r, "d")
	if r.Buffered() != 0 {
		t.Error("something is buffered")
	}
	if err := r.ReadDone(); err != io.EOF {
		t.Errorf("%v", err)
	}
}

func TestResponsesOfAuthenticateAreDecoded(t *testing.T) {
	r, _ := newTestReader("a AUTHENTICATE PLAIN\r\nAGEAYg==\r\n\r\n*\r\n!\r\nb NOOP\r\n", true)
	if _, err := r.ReadCommand(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\x00a\x00b", ""} {
		got, err := r.ReadSASL()
		if err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	for range 2 {
		var e *Error
		if _, err := r.ReadSASL(); !errors.As(err, &e) || e.Tag != "a" {
			t.Errorf("%v", err)
		}
	}
	wantNoop(t, r, "b")
}

func TestResetGivesBackWhatWasReadAhead(t *testing.T) {
	r, _ := newTestReader("a COMPRESS DEFLATE\r\nxyz", false)
	if _, err := r.ReadCommand(); err != nil {
		t.Fatal(err)
	}
	if got := r.Reset(strings.NewReader("b NOOP\r\n")); string(got) != "xyz" {
		t.Errorf("%q", got)
	}
	wantNoop(t, r, "b")
}

func TestCommandsDoNotShareMemory(t *testing.T) {
	r, _ := newTestReader("a LOGIN alice secret\r\nb LOGIN 12345 678901\r\n", false)
	q, err := r.ReadCommand()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadCommand(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Login{"alice", "secret"}, q.Command); diff != "" {
		t.Error(diff)
	}
}

// TestReadingIsLinear feeds commands made to be slow and counts what the reader
// asks of the connection and of memory.
func TestReadingIsLinear(t *testing.T) {
	for name, line := range map[string]string{
		"numbers":  "a FETCH " + strings.Repeat("9,7,", 90_000) + "1 UID\r\n",
		"or":       "a SEARCH " + strings.Repeat("OR ALL ", 9_000/2) + "ALL\r\n",
		"or left":  "a SEARCH " + strings.Repeat("OR ", 4_000) + strings.Repeat("ALL ", 4_000) + "ALL\r\n",
		"not":      "a SEARCH " + strings.Repeat("NOT ", 9_000) + "ALL\r\n",
		"literals": "a SEARCH" + strings.Repeat(" FROM {1+}\r\nx", 9_000) + "\r\n",
		"fields":   "a FETCH 1 BODY[HEADER.FIELDS (" + strings.Repeat("a ", 9_000) + "b)]\r\n",
	} {
		r := NewReader(strings.NewReader(line), AfterLogin(1), nil)
		if _, err := r.ReadCommand(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(r.buf) > 4*len(line)+4096 {
			t.Errorf("%s: the buffer has %d bytes for a line of %d", name, len(r.buf), len(line))
		}
	}
}

func FuzzCommand(f *testing.F) {
	for _, s := range commandCorpus {
		f.Add([]byte(s), false)
	}
	f.Add([]byte("a SELECT \"ä\"\r\n"), true)
	f.Fuzz(func(t *testing.T, input []byte, utf8 bool) {
		run := func(src io.Reader) (seen []string) {
			r := NewReader(src, AfterLogin(1000), func(l Literal) error { return nil })
			r.SetUTF8(utf8)
			for {
				q, err := r.ReadCommand()
				var e *Error
				switch {
				case errors.As(err, &e):
					seen = append(seen, string(e.Append(nil)))
					if e.Fatal {
						return seen
					}
					continue
				case err != nil:
					return append(seen, err.Error())
				}
				seen = append(seen, q.Tag+" "+q.Name)
				switch c := q.Command.(type) {
				case *Append:
					for {
						i, err := c.Next()
						if err != nil {
							break
						}
						n, _ := io.Copy(io.Discard, i)
						if n > 1000 {
							t.Fatalf("a message of %d bytes", n)
						}
					}
				case *Fetch:
					for _, i := range c.Items {
						AppendFetchItem(nil, i)
					}
				case *Idle:
					if err := r.ReadDone(); err != nil && !errors.As(err, &e) {
						return seen
					}
				case *List:
					for _, p := range c.Patterns {
						Match(p, "INBOX/a")
					}
				}
			}
		}
		fast := run(bytes.NewReader(input))
		slow := run(iotest.OneByteReader(bytes.NewReader(input)))
		if diff := cmp.Diff(fast, slow); diff != "" {
			t.Errorf("byte for byte: %s", diff)
		}
	})
}

// commandCorpus has commands of all kinds, whole and broken.
var commandCorpus = []string{
	"a NOOP\r\nb NOOP\r\n", "a IDLE\r\nDONE\r\n", "a FOO {3+}\r\nabc\r\n", "\r\n\r\n", "a NOOP\n",
	"a APPEND x (\\Seen) \"01-Jan-2020 00:00:00 +0000\" {3}\r\nabc {2+}\r\nxy\r\n",
	"a APPEND x UTF8 (~{3+}\r\nabc)\r\n",
	"a LOGIN {1}\r\na {1+}\r\nb\r\n",
	"a GETMETADATA (MAXSIZE 5 DEPTH 1) \"\" (/shared/a /private/b)\r\n", "a GETMETADATA x (DEPTH infinity) /a\r\n",
	"a SETMETADATA x (/shared/a NIL /private/b ~{2+}\r\n\x00x /c \"y\")\r\n",
	"a SELECT INBOX (CONDSTORE QRESYNC (1 2 1:3,7 (1,2 3,4)))\r\n",
	"a LIST (SUBSCRIBED) \"\" (a% *b) RETURN (STATUS (MESSAGES) CHILDREN)\r\n",
	"a FETCH 1:*,5 (FLAGS BODY.PEEK[1.2.HEADER.FIELDS (From \"To\")]<0.100> BINARY[1] ENVELOPE) (CHANGEDSINCE 5)\r\n",
	"a UID STORE $ (UNCHANGEDSINCE 7) +FLAGS.SILENT (\\Seen a)\r\n",
	"a SEARCH RETURN (MIN SAVE) CHARSET UTF-8 OR NOT SEEN (FROM \"x\\\"y\" SINCE 1-Jan-2020) MODSEQ 5\r\n",
	"a ID (\"name\" NIL)\r\n", "a CREATE x (USE (\\Sent))\r\n", "a SETQUOTA \"\" (STORAGE 5)\r\n",
	"a AUTHENTICATE PLAIN AGEAYg==\r\n", "a ENABLE X Y\r\n", "a STATUS &AOQ- (SIZE)\r\n", "a UID EXPUNGE 1\r\n",
}

func BenchmarkReadCommand(b *testing.B) {
	for _, bm := range []struct{ name, line string }{
		{"Noop", "A0001 NOOP\r\n"},
		{"FetchFlags", "A0001 UID FETCH 1:* (UID FLAGS)\r\n"},
		{"FetchEnvelope", "A0001 UID FETCH 1:50 (UID RFC822.SIZE FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID)])\r\n"},
		{"Store", "A0001 UID STORE 4711 +FLAGS.SILENT (\\Seen)\r\n"},
		{"Search", "A0001 UID SEARCH RETURN (ALL) UNDELETED SINCE 1-Feb-2020 OR FROM alice SUBJECT \"hello world\"\r\n"},
		{"List", "A0001 LIST \"\" \"*\"\r\n"},
		{"Select", "A0001 SELECT INBOX (CONDSTORE)\r\n"},
		{"LongSet", "A0001 UID FETCH " + strings.Repeat("123456,", 10_000) + "1 (FLAGS)\r\n"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bm.line)))
			src := strings.NewReader(bm.line)
			r := NewReader(src, AfterLogin(1), nil)
			for b.Loop() {
				src.Reset(bm.line)
				if _, err := r.ReadCommand(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
