package grammar

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestStringsAreWritten(t *testing.T) {
	long := strings.Repeat("x", 2000)
	tests := []struct {
		s                         string
		str, nstr, astr, utf8astr string
	}{
		{"", `""`, "NIL", `""`, `""`},
		{"a", `"a"`, `"a"`, "a", "a"},
		{"nil", `"nil"`, `"nil"`, `"nil"`, `"nil"`},
		{`a"\`, `"a\"\\"`, `"a\"\\"`, `"a\"\\"`, `"a\"\\"`},
		{"a b", `"a b"`, `"a b"`, `"a b"`, `"a b"`},
		{"a]", `"a]"`, `"a]"`, "a]", "a]"},
		{"a\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb"},
		{"ä", "{2}\r\nä", "{2}\r\nä", "{2}\r\nä", `"ä"`},
		{"\xff", "{1}\r\n\xff", "{1}\r\n\xff", "{1}\r\n\xff", "{1}\r\n\xff"},
		{long, "{2000}\r\n" + long, "{2000}\r\n" + long, long, long},
	}
	for _, tt := range tests {
		for _, c := range []struct{ got, want string }{
			{string(AppendString(nil, tt.s, false)), tt.str},
			{string(AppendNString(nil, tt.s, false)), tt.nstr},
			{string(AppendAString(nil, tt.s, false)), tt.astr},
			{string(AppendAString(nil, tt.s, true)), tt.utf8astr},
		} {
			if c.got != c.want {
				t.Errorf("%q: %q, want %q", tt.s, c.got, c.want)
			}
		}
	}
	if got := string(AppendLiteralHeader(nil, 5, true)); got != "~{5}\r\n" {
		t.Error(got)
	}
	if got := string(AppendFlags(nil, []string{`\Seen`, "a"})); got != `(\Seen a)` {
		t.Error(got)
	}
	if got := string(AppendMailbox(nil, "ä b", false)) + string(AppendMailbox(nil, "ä b", true)); got != `"&AOQ- b""ä b"` {
		t.Error(got)
	}
}

func TestFetchItemsAreEchoed(t *testing.T) {
	for asked, want := range map[string]string{
		"uid":                                  "UID",
		"rfc822.size":                          "RFC822.SIZE",
		"rfc822.header":                        "RFC822.HEADER",
		"body":                                 "BODY",
		"body.peek[]":                          "BODY[]",
		"body[1.2.mime]<3.4>":                  "BODY[1.2.MIME]<3>",
		"body.peek[header.fields (a \"b c\")]": `BODY[HEADER.FIELDS (a "b c")]`,
		"body[1.header.fields.not (x)]":        "BODY[1.HEADER.FIELDS.NOT (x)]",
		"body[text]":                           "BODY[TEXT]",
		"binary.peek[1]<0.5>":                  "BINARY[1]<0>",
		"binary.size[2.1]":                     "BINARY.SIZE[2.1]",
	} {
		q, err := readOne(t, "a FETCH 1 "+asked+"\r\n", false)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(AppendFetchItem(nil, q.Command.(*Fetch).Items[0])); got != want {
			t.Errorf("%s: %s, want %s", asked, got, want)
		}
	}
}

func TestModifiedUTF7(t *testing.T) {
	for name, want := range map[string]string{
		"INBOX":              "INBOX",
		"a&b":                "a&-b",
		"ä":                  "&AOQ-",
		"päö-":               "p&AOQA9g--",
		"~peter/mail/台北/日本語": "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
		"😀":                  "&2D3eAA-",
		"a😀ä&😀":              "a&2D3eAADk-&-&2D3eAA-",
		"\x7f":               "&AH8-",
		"":                   "",
	} {
		if got := EncodeUTF7(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
		if got, err := DecodeUTF7(want); err != nil || got != name {
			t.Errorf("%q: %q, %v", want, got, err)
		}
	}
	for _, s := range []string{
		"&", "&A", "&AOQ", "&AOQ&-", "ä", "\x01", // not closed, not ASCII
		"&AGE-",         // "a" needs no base64
		"&ACY-",         // nor does "&"
		"&AOR-", "&AO-", // bits left over
		"&AOQ=-", "&AO/-", "&A!-", // not the alphabet
		"&AOQ-&AOQ-",        // one sequence written as two
		"&2D0-", "&3gDYPQ-", // lone surrogates
	} {
		if got, err := DecodeUTF7(s); err == nil {
			t.Errorf("%q gives %q", s, got)
		}
	}
}

func FuzzMailboxName(f *testing.F) {
	for _, s := range []string{"INBOX", "ä/ö", "&AOQ-", "a&b", "😀", "&2D3eAA-", "&-", "&AOQ", "\xff", "a\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if utf8.ValidString(s) {
			if got, err := DecodeUTF7(EncodeUTF7(s)); err != nil || got != s {
				t.Fatalf("%q → %q → %q, %v", s, EncodeUTF7(s), got, err)
			}
		}
		if name, err := DecodeUTF7(s); err == nil {
			if !utf8.ValidString(name) || EncodeUTF7(name) != s {
				t.Fatalf("%q → %q → %q", s, name, EncodeUTF7(name))
			}
		}
		for _, on := range []bool{false, true} {
			r := NewReader(strings.NewReader("a SELECT "+string(AppendLiteral(nil, s))+"\r\n"), AfterLogin(0), nil)
			r.SetUTF8(on)
			q, err := r.ReadCommand()
			if err != nil {
				continue
			}
			name := q.Command.(*Select).Mailbox
			r = NewReader(strings.NewReader("a SELECT "+string(AppendMailbox(nil, name, on))+"\r\n"), AfterLogin(0), nil)
			r.SetUTF8(on)
			q, err = r.ReadCommand()
			if err != nil || q.Command.(*Select).Mailbox != name {
				t.Fatalf("%q, written and read again: %+v, %v", name, q, err)
			}
		}
	})
}

func TestDatesAreReadAndWritten(t *testing.T) {
	for in, want := range map[string]string{
		`"17-Jul-1996 02:44:25 -0700"`: `"17-Jul-1996 02:44:25 -0700"`,
		`" 1-jan-2020 00:00:00 +0000"`: `"01-Jan-2020 00:00:00 +0000"`,
		`"01-Dec-2020 23:59:60 +0530"`: `"02-Dec-2020 00:00:00 +0530"`,
		`"1-Dec-0001 23:59:59 -1200"`:  `"01-Dec-0001 23:59:59 -1200"`,
		`"29-Feb-2024 00:00:00 +0000"`: `"29-Feb-2024 00:00:00 +0000"`,
	} {
		got, ok := parseDateTime(in)
		if !ok {
			t.Errorf("%s is refused", in)
			continue
		}
		if s := string(AppendInternalDate(nil, got)); s != want {
			t.Errorf("%s: %s, want %s", in, s, want)
		}
	}
	for _, in := range []string{
		``, `"`, `""`, `"17-Jul-1996"`, `"17-Jul-1996 02:44:25"`, `"17-Jul-1996 02:44:25 0700"`, `"17-Jul-1996 02:44:25 -700"`,
		`"17-Jul-1996 24:00:00 +0000"`, `"17-Jul-1996 00:60:00 +0000"`, `"17-Jul-1996 00:00:61 +0000"`, `"17-Jul-1996 00:00:00 +2400"`,
		`"30-Feb-2024 00:00:00 +0000"`, `"00-Jan-2024 00:00:00 +0000"`, `"32-Jan-2024 00:00:00 +0000"`, `"1-Foo-2024 00:00:00 +0000"`,
		`"111-Jan-2024 00:00:00 +0000"`, `"1-Jan-24 00:00:00 +0000"`, `1-Jan-2024 00:00:00 +0000`,
	} {
		if got, ok := parseDateTime(in); ok {
			t.Errorf("%s gives %v", in, got)
		}
	}
}

// parseDateTime reads all of s as a date and time.
func parseDateTime(s string) (time.Time, bool) {
	r := &Reader{buf: []byte(s), eol: len(s)}
	d := r.dateTime()
	return d, r.err == nil && r.atEnd()
}

func FuzzDate(f *testing.F) {
	for _, s := range []string{`"17-Jul-1996 02:44:25 -0700"`, `" 1-Jan-2020 00:00:00 +0000"`, `3-Feb-2020`, `"3-Feb-2020"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, ok := parseDateTime(s); ok {
			again, ok := parseDateTime(string(AppendInternalDate(nil, d)))
			if !ok || !again.Equal(d) {
				t.Fatalf("%s: %v, %v", s, d, again)
			}
		}
		r := &Reader{buf: []byte(s), eol: len(s)}
		if d := r.date(); r.err == nil {
			u := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
			if u.Day() != d.Day || u.Month() != d.Month {
				t.Fatalf("%s: %v", s, d)
			}
		}
	})
}

func TestPatternsMatch(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"*", "a/b", true}, {"*", "", true}, {"%", "a", true}, {"%", "a/b", false}, {"%", "", true},
		{"a", "a", true}, {"a", "b", false}, {"", "", true}, {"", "a", false},
		{"%/%", "a/b", true}, {"%/%", "a/b/c", false}, {"%/*", "a/b/c", true},
		{"*test4", "imaptest/test3/test4", true}, {"*test4", "imaptest/test4/test5", false},
		{"%t*4", "test3/test4", true}, {"%3/%", "test3/test4", true}, {"%3/%4", "test3/test4", true},
		{"a%%b", "axxb", true}, {"a%*%b", "a/x/b", true}, {"a*%", "a/b", true},
		{"inbox", "INBOX", true}, {"InBoX/%", "INBOX/a", true}, {"%box", "INBOX", true}, {"inbox", "inbox/a", false},
		{"in*", "INBOX/x", true}, {"inboxes", "INBOXES", false}, {"*BOX/a", "INBOX/a", true}, {"*BOX/A", "INBOX/a", false},
		{"ä%", "äö", true}, {"Trash", "trash", false},
		{strings.Repeat("a*", 500), strings.Repeat("a", 500), true},
		{strings.Repeat("a%", 500) + "b", strings.Repeat("a", 1000), false},
		{strings.Repeat("a", 300) + "%b", strings.Repeat("a", 300) + "xxb", true},
	}
	for _, tt := range tests {
		if got := Match(tt.pattern, tt.name); got != tt.want {
			t.Errorf("%.40q on %.40q: %v", tt.pattern, tt.name, got)
		}
	}
}

// matchByRegexp is an independent matcher for names without INBOX.
func matchByRegexp(pattern, name string) bool {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for _, c := range []byte(pattern) {
		switch c {
		case '*':
			b.WriteString(`.*`)
		case '%':
			b.WriteString(`[^/]*`)
		default:
			b.WriteString(regexp.QuoteMeta(string(rune(c))))
		}
	}
	b.WriteString(`\z`)
	return regexp.MustCompile(b.String()).MatchString(name)
}

func TestPatternsAgreeWithRegexp(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	random := func(alphabet string, n int) string {
		b := make([]byte, rnd.IntN(n))
		for i := range b {
			b[i] = alphabet[rnd.IntN(len(alphabet))]
		}
		return string(b)
	}
	for range 5000 {
		p, n := random("ab/*%", 12), random("ab/", 12)
		if got, want := Match(p, n), matchByRegexp(p, n); got != want {
			t.Fatalf("%q on %q: %v", p, n, got)
		}
	}
	for range 200 {
		p, n := random("aaaa/*%", 200), random("aaaa/", 200)
		if got, want := Match(p, n), matchByRegexp(p, n); got != want {
			t.Fatalf("%q on %q: %v", p, n, got)
		}
	}
}

func FuzzListMatch(f *testing.F) {
	f.Add("*", "a/b")
	f.Add("%/a*%b", "x/aab")
	f.Add("inbox*", "INBOX/x")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 300 || len(name) > 300 {
			return
		}
		got := Match(pattern, name)
		if strings.HasPrefix(name, "INBOX") {
			return
		}
		ascii := func(s string) bool {
			for _, c := range []byte(s) {
				if c >= utf8.RuneSelf {
					return false
				}
			}
			return true
		}
		if ascii(pattern) && ascii(name) && got != matchByRegexp(pattern, name) {
			t.Fatalf("%q on %q: %v", pattern, name, got)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	p := CompilePattern("Archive/%/lists*")
	for b.Loop() {
		p.Match("Archive/2024/lists.golang")
	}
}
