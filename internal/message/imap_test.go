package message

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"postern/internal/testenv"
)

// script reads a script of ImapTest and the messages it is about.
func script(t *testing.T, name string) (lines []string, messages []string) {
	t.Helper()
	dir := filepath.Join(testenv.Testdata(t, "imap-imaptest"), "tests")
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	mbox, err := os.ReadFile(filepath.Join(dir, name+".mbox"))
	if os.IsNotExist(err) {
		mbox, err = os.ReadFile(filepath.Join(dir, "default.mbox"))
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range regexp.MustCompile(`(?m)^From .*\n`).Split(string(mbox), -1) {
		if i > 0 {
			messages = append(messages, crlf(part))
		}
	}
	return strings.Split(string(b), "\n"), messages
}

func TestImaptestEnvelopes(t *testing.T) {
	lines, messages := script(t, "fetch-envelope")
	expected := regexp.MustCompile(`^\* (\d+) FETCH \(ENVELOPE (.*)\)$`)
	n := 0
	for _, line := range lines {
		match := expected.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		n++
		i, _ := strconv.Atoi(match[1])
		m := mustParse(t, messages[i-1])
		if got := string(m.Meta().AppendEnvelope(nil)); got != match[2] {
			t.Errorf("message %d:\n got %s\nwant %s", i, got, match[2])
		}
	}
	if n < 6 {
		t.Fatalf("only %d envelopes in the script", n)
	}
}

// section answers BODY[…] as the IMAP server does.
func section(t *testing.T, text string, spec string) (string, bool) {
	t.Helper()
	meta := mustParse(t, text).Meta()
	var path []int
	what, fields := SectionBody, ""
	for spec != "" {
		head, rest, _ := strings.Cut(spec, ".")
		n, err := strconv.Atoi(head)
		if err != nil {
			break
		}
		path, spec = append(path, n), rest
	}
	switch lower, _, _ := strings.Cut(strings.ToLower(spec), " "); lower {
	case "":
	case "header":
		what = SectionHeader
	case "header.fields", "header.fields.not":
		what, fields = SectionHeader, lower
	case "text":
		what = SectionText
	case "mime":
		what = SectionMIME
	default:
		t.Fatalf("section %q", spec)
	}
	start, end, err := meta.Section(path, what)
	if err != nil {
		return "", false
	}
	got := text[start:end]
	if fields != "" {
		names := strings.Fields(spec[strings.IndexByte(spec, '(')+1 : strings.IndexByte(spec, ')')])
		got = string(FilterHeader(nil, []byte(got), names, fields == "header.fields.not"))
	}
	return got, true
}

func TestImaptestSections(t *testing.T) {
	n := 0
	for _, name := range []string{"fetch-body-mime", "fetch-body"} {
		lines, messages := script(t, name)
		expected := regexp.MustCompile(`^([*!]) (\d+) fetch \((?:flags \(\) )?body\[(.*)\] \{\{\{$`)
		for i := 0; i < len(lines); i++ {
			match := expected.FindStringSubmatch(lines[i])
			if match == nil {
				continue
			}
			n++
			var want []string
			for i++; !strings.HasPrefix(lines[i], "}}}"); i++ {
				want = append(want, lines[i])
			}
			message, _ := strconv.Atoi(match[2])
			got, ok := section(t, messages[message-1], match[3])
			same := got == crlf(strings.Join(want, "\n"))
			if !ok || same != (match[1] == "*") {
				t.Errorf("%s: message %d, %s: %q, want %q", name, message, match[3], got, want)
			}
		}
	}
	if n < 20 {
		t.Fatalf("only %d sections in the scripts", n)
	}
}

func TestImaptestAddressSearch(t *testing.T) {
	lines, messages := script(t, "search-addresses")
	command := regexp.MustCompile(`^ok search (from|to|cc|bcc) (\S+)$`)
	fields := map[string]AddressField{"from": From, "to": To, "cc": Cc, "bcc": Bcc}
	n := 0
	for i, line := range lines {
		match := command.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		n++
		got := "* search"
		for i, text := range messages {
			list := mustParse(t, text).Meta().AddressText(fields[match[1]])
			if bytes.Contains(bytes.ToLower(list), []byte(match[2])) {
				got += " " + strconv.Itoa(i+1)
			}
		}
		if got != lines[i+1] {
			t.Errorf("%s: %s, want %s", line, got, lines[i+1])
		}
	}
	if n < 20 {
		t.Fatalf("only %d searches in the script", n)
	}
}

func TestImaptestHeaderSearch(t *testing.T) {
	lines, messages := script(t, "search-header")
	command := regexp.MustCompile(`^ok search header (\S+) "?([^"]*)"?$`)
	n := 0
	for i, line := range lines {
		match := command.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		n++
		got := "* search"
		for i, text := range messages {
			found := false
			for s := ScanHeader([]byte(text)); s.Next(); {
				found = found || s.Is(match[1]) && strings.Contains(string(s.AppendValue(nil)), match[2])
			}
			if found {
				got += " " + strconv.Itoa(i+1)
			}
		}
		if got != lines[i+1] {
			t.Errorf("%s: %s, want %s", line, got, lines[i+1])
		}
	}
	if n < 5 {
		t.Fatalf("only %d searches in the script", n)
	}
}

func TestEnvelopeForms(t *testing.T) {
	for header, want := range map[string]string{
		"": `(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)`,
		"Subject:\nDate:\nMessage-ID:\nIn-Reply-To:\n": `("" "" NIL NIL NIL NIL NIL NIL "" "")`,
		"Subject: a\n b\n\tc\n":                        "(NIL \"a b\tc\" NIL NIL NIL NIL NIL NIL NIL NIL)",
		"Subject: \"q\" \\\n":                          `(NIL "\"q\" \\" NIL NIL NIL NIL NIL NIL NIL NIL)`,
		"Subject: gr\xc3\xbcn\n":                       "(NIL {5}\r\ngr\xc3\xbcn NIL NIL NIL NIL NIL NIL NIL NIL)",
		"Subject: a\x00b\n":                            "(NIL {3}\r\na?b NIL NIL NIL NIL NIL NIL NIL NIL)",
		"Subject: =?utf-8?q?x?=\n":                     `(NIL "=?utf-8?q?x?=" NIL NIL NIL NIL NIL NIL NIL NIL)`,
		"From: =?utf-8?q?J=C3=B6?= <j@b>\nTo: x\nCc: \"\" <a@b>, <>\nBcc: u@[1.2.3.4]\n": `(NIL NIL ` +
			`(("=?utf-8?q?J=C3=B6?=" NIL "j" "b")) (("=?utf-8?q?J=C3=B6?=" NIL "j" "b")) (("=?utf-8?q?J=C3=B6?=" NIL "j" "b")) ` +
			`((NIL NIL "x" "")) ((NIL NIL "a" "b")(NIL NIL "" "")) ((NIL NIL "u" "[1.2.3.4]")) NIL NIL)`,
		"From: a@b\nSender: c@d\nReply-To: g:;\n":        `(NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "c" "d")) ((NIL NIL "g" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL NIL)`,
		"To: a@b\nTo: c@d\nSubject: one\nSubject: two\n": `(NIL "one" NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL)`,
	} {
		m := mustParse(t, crlf(header+"\n"))
		if got := string(m.Meta().AppendEnvelope(nil)); got != want {
			t.Errorf("%q:\n got %s\nwant %s", header, got, want)
		}
	}
}

func TestBodyStructureForms(t *testing.T) {
	for _, c := range []struct{ text, body, extended string }{
		{"\nhello\nworld\n",
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 14 2)`,
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 14 2 NIL NIL NIL NIL)`},
		{`Content-Type: Text/X-Myown; CharSet=us-ascii; foo="quoted\"string"
Content-ID: <foo@bar>
Content-Description: hellodescription
Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==
Content-Disposition: inline; foo=bar
Content-Language: en, fi, se
Content-Location: http://localhost
Content-Transfer-Encoding: 8BIT

hello
`,
			`("text" "x-myown" ("charset" "us-ascii" "foo" "quoted\"string") "<foo@bar>" "hellodescription" "8bit" 7 1)`,
			`("text" "x-myown" ("charset" "us-ascii" "foo" "quoted\"string") "<foo@bar>" "hellodescription" "8bit" 7 1 ` +
				`"Q2hlY2sgSW50ZWdyaXR5IQ==" ("inline" ("foo" "bar")) ("en" "fi" "se") "http://localhost")`},
		{`Content-Type: multipart/mixed; boundary=x
Content-Language: en

--x
Content-Type: text/html; format=flowed

<p>
--x
Content-Type: message/rfc822

From: a@b

text
--x
Content-Type: application/pdf; name*0=a; name*1=b; x*0*=utf-8''a%20; x*1="b c"; x*3=d
Content-Disposition: ATTACHMENT
Content-Transfer-Encoding: base64

AAAA
--x--
`,
			`(("text" "html" ("format" "flowed" "charset" "us-ascii") NIL NIL "7bit" 3 0)` +
				`("message" "rfc822" NIL NIL NIL "7bit" 17 (NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL) ` +
				`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 0) 2)` +
				`("application" "pdf" ("name" "ab" "x*" "utf-8''a%20b%20c" "x*3" "d") NIL NIL "base64" 4) "mixed")`,
			`(("text" "html" ("format" "flowed" "charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL)` +
				`("message" "rfc822" NIL NIL NIL "7bit" 17 (NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL) ` +
				`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL)` +
				`("application" "pdf" ("name" "ab" "x*" "utf-8''a%20b%20c" "x*3" "d") NIL NIL "base64" 4 NIL ("attachment" NIL) NIL NIL) "mixed" ("boundary" "x") NIL ("en") NIL)`},
		{"Content-Type: multipart/mixed\n\nx\n",
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1)`,
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL)`},
		{"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nAAAA",
			`("application" "octet-stream" NIL NIL NIL "base64" 4)`,
			`("application" "octet-stream" NIL NIL NIL "base64" 4 NIL NIL NIL NIL)`},
	} {
		meta := mustParse(t, crlf(c.text)).Meta()
		if got := string(meta.AppendBodyStructure(nil, false)); got != c.body {
			t.Errorf("BODY of %q:\n got %s\nwant %s", c.text, got, c.body)
		}
		if got := string(meta.AppendBodyStructure(nil, true)); got != c.extended {
			t.Errorf("BODYSTRUCTURE of %q:\n got %s\nwant %s", c.text, got, c.extended)
		}
	}
}

func TestSectionsOfMessages(t *testing.T) {
	single := crlf("Subject: s\n\nbody\n")
	nested := crlf("Content-Type: message/rfc822\n\nSubject: inner\n\ntext\n")
	for _, c := range []struct{ text, spec, want string }{
		{single, "", single}, {single, "header", "Subject: s\r\n\r\n"}, {single, "text", "body\r\n"}, {single, "1", "body\r\n"},
		{single, "1.mime", "Subject: s\r\n\r\n"},
		{single, "2", "-"}, {single, "1.1", "-"}, {single, "1.header", "-"}, {single, "1.text", "-"}, {single, "mime", "-"}, {single, "0", "-"},
		{nested, "1", "Subject: inner\r\n\r\ntext\r\n"}, {nested, "1.header", "Subject: inner\r\n\r\n"}, {nested, "1.text", "text\r\n"},
		{nested, "1.1", "text\r\n"}, {nested, "1.1.1", "-"}, {nested, "text", "Subject: inner\r\n\r\ntext\r\n"},
	} {
		got, ok := section(t, c.text, c.spec)
		if !ok {
			got = "-"
		}
		if got != c.want {
			t.Errorf("BODY[%s] of %q is %q, want %q", c.spec, c.text, got, c.want)
		}
	}
}

func TestFilterHeaderKeepsFoldsAndTheEmptyLine(t *testing.T) {
	header := []byte("From mbox line\r\nA: 1\r\n\tfolded\r\nb : 2\r\nC: 3\r\n\r\nignored: x\r\n")
	for _, c := range []struct {
		names []string
		not   bool
		want  string
	}{
		{[]string{"a", "B"}, false, "A: 1\r\n\tfolded\r\nb : 2\r\n\r\n"},
		{[]string{"a", "B"}, true, "From mbox line\r\nC: 3\r\n\r\n"},
		{[]string{"x"}, false, "\r\n"},
		{nil, true, "From mbox line\r\nA: 1\r\n\tfolded\r\nb : 2\r\nC: 3\r\n\r\n"},
	} {
		if got := string(FilterHeader(nil, header, c.names, c.not)); got != c.want {
			t.Errorf("%v %v: %q", c.names, c.not, got)
		}
	}
}

func TestAccessorsOfMeta(t *testing.T) {
	m := mustParse(t, crlf(`Date: Thu, 15 Feb 2007 01:02:03 +0200
Subject: =?iso-8859-1?q?gr=FCn?= und
From: =?utf-8?b?SsO2?= <jo@a.example>
To: g: "A, B" <a@b>, c@d;, e@f
Message-ID: <1@a>
In-Reply-To: <0@a>
References: <x@a>
 <0@a>

`)).Meta()
	for _, c := range []struct{ name, got, want string }{
		{"Subject", string(m.Subject()), "=?iso-8859-1?q?gr=FCn?= und"},
		{"SubjectText", string(m.SubjectText()), "grün und"},
		{"From", string(m.AddressText(From)), "Jö <jo@a.example>"},
		{"To", string(m.AddressText(To)), "g: A, B <a@b>, c@d;, e@f"},
		{"Cc", string(m.AddressText(Cc)), ""},
		{"MessageID", string(m.MessageID()), "<1@a>"},
		{"InReplyTo", string(m.InReplyTo()), "<0@a>"},
		{"References", string(m.References()), "<x@a> <0@a>"},
	} {
		if c.got != c.want {
			t.Errorf("%s is %q, want %q", c.name, c.got, c.want)
		}
	}
	if unix, zone, ok := m.Sent(); unix != 1171494123 || zone != 7200 || !ok {
		t.Errorf("sent %d %d %v", unix, zone, ok)
	}
	if name, local, host := m.FirstAddress(From); string(name) != "Jö" || string(local) != "jo" || string(host) != "a.example" {
		t.Errorf("first of From: %q %q %q", name, local, host)
	}
	if _, local, host := m.FirstAddress(To); string(local) != "g" || host != nil {
		t.Errorf("first of To: %q %q", local, host)
	}
	if m := mustParse(t, "\r\n").Meta(); m.Subject() != nil || m.SubjectText() != nil {
		t.Error("there is no subject")
	}
}

func TestDamagedMetaIsAnErrorAndNotACrash(t *testing.T) {
	good := mustParse(t, typical).Meta()
	for i := range good {
		touch(good[:i])
		if _, _, err := good[:i].Decode(); !errors.Is(err, ErrMeta) {
			t.Errorf("cut at %d: %v", i, err)
		}
		for _, b := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			bad := bytes.Clone(good)
			bad[i] = b
			touch(bad)
		}
	}
	if _, _, err := (Meta{9}).Decode(); !errors.Is(err, ErrMeta) {
		t.Errorf("unknown version: %v", err)
	}
}

// touch uses all ways into a Meta.
func touch(m Meta) {
	m.Decode()
	m.Subject()
	m.SubjectText()
	m.Sent()
	m.References()
	for f := range AddressField(addressFields) {
		m.AddressText(f)
		m.FirstAddress(f)
	}
	m.AppendEnvelope(nil)
	m.AppendBodyStructure(nil, true)
	for _, path := range [][]int{nil, {1}, {2}, {1, 1}, {2, 1, 1}} {
		m.Find(path)
		for what := range SectionMIME + 1 {
			m.Section(path, what)
		}
	}
}

func TestWordsHaveTheirNumbers(t *testing.T) {
	for i, w := range words {
		if wordCode(w) != i || wordCode([]byte(w)) != i {
			t.Errorf("%q is %d, not %d", w, wordCode(w), i)
		}
		if !isOrdinary([]byte(w)) {
			t.Errorf("%q needs more than quotes", w)
		}
	}
	if len(words) != 56 || words[0] != "text" || words[55] != "ISO-8859-1" {
		t.Error("the order of words is part of the format; new ones go to the end, and here")
	}
}

func TestOrdinaryStringsAreTold(t *testing.T) {
	for n := range 20 {
		for c := range 256 {
			s := bytes.Repeat([]byte{'a'}, n+1)
			for at := range s {
				s[at] = byte(c)
				want := c > 0 && c < 0x80 && !strings.ContainsRune("\"\\\r\n", rune(c))
				if isOrdinary(s) != want {
					t.Fatalf("%q: %v", s, !want)
				}
				s[at] = 'a'
			}
		}
	}
}
