package message

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEncodedWords(t *testing.T) {
	for in, want := range map[string]string{
		"plain text":                       "plain text",
		"=?us-ascii?Q?Keith_Moore?= <a@b>": "Keith Moore <a@b>",
		"=?ISO-8859-1?Q?Andr=E9?= Pirard":  "André Pirard",
		"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=": "If you can read this you understand the example.",
		"(=?ISO-8859-1?Q?a?= b)":                      "(a b)",
		"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)":     "(ab)",
		"(=?ISO-8859-1?Q?a?=  \t =?ISO-8859-1?Q?b?=)": "(ab)",
		"(=?ISO-8859-1?Q?a_b?=)":                      "(a b)",
		"=?utf-8?B?w6Q=?= =?utf-8?B?w7Y=?=":           "äö",
		"=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=":             "ä", // a character cut in two
		"=?utf-8*en?Q?x?=":                            "x",
		"=?utf-8?q?a?b?=":                             "a?b",
		"=?utf-8?x?a?=":                               "=?utf-8?x?a?=",
		"=?utf-8?q?a":                                 "=?utf-8?q?a",
		"=?":                                          "=?",
		"=?utf-8?q??=":                                "",
		"=?utf-8?q?a=0D=0Ab?=":                        "a  b", // no line can be made this way
		"=?nonsense?q?a=E4?=":                         "aä",
		"=?shift_jis?B?k/qWew==?=":                    "日本",
		"=?cp932?B?k/qWew==?=":                        "日本",
		"=?gb2312?B?1tC5+g==?=":                       "中国",
		"=?koi8-r?B?8NLJ18XU?=":                       "Привет",
		"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=":          "日本",
		"gr\xfcn":                                     "grün",
		"grün":                                        "grün",
		"=?utf-8?B?w6Q?=":                             "ä",  // padding lost
		"=?utf-8?B?w6Q=w7Y=?=":                        "äö", // two words made one
		"=?utf-8?B?w6 Q=\tw7Y?=":                      "äö",
	} {
		if got := DecodeHeader(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestDates(t *testing.T) {
	for in, want := range map[string]string{
		"Thu, 15 Feb 2007 01:02:03 +0200":            "2007-02-15T01:02:03+02:00",
		"15 Feb 2007 01:02 -0000":                    "2007-02-15T01:02:00Z",
		"Thu, 15 Feb 07 01:02:03 GMT":                "2007-02-15T01:02:03Z",
		"15 Feb 97 01:02:03 EST":                     "1997-02-15T01:02:03-05:00",
		"15 Feb 107 01:02:03 Z":                      "2007-02-15T01:02:03Z",
		"Thursday, 15-February-2007 01:02:03 +05:30": "2007-02-15T01:02:03+05:30",
		"Thu (a comment), 15 Feb (x) 2007 1 : 2 : 3": "2007-02-15T01:02:03Z",
		"15 feb 2007 23:59:60 +0000 (UTC)":           "2007-02-15T23:59:59Z",
		"29 Feb 2007 01:02:03 +0000":                 "",
		"15 Feb 2007":                                "",
		"15 Foo 2007 01:02:03":                       "",
		"15 Feb 2007 24:02:03":                       "",
		"0 Feb 2007 01:02:03":                        "",
		"":                                           "",
		"99999999999 Feb 2007 01:02:03":              "",
	} {
		d, err := ParseDate(in)
		got := ""
		if err == nil {
			got = d.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%q: %s, %v; want %s", in, got, err, want)
		}
	}
}

func TestParametersInAllForms(t *testing.T) {
	for value, want := range map[string]string{
		`a/b; name=x`:                                "x",
		`a/b; NAME="x y"`:                            "x y",
		`a/b; name="x\"y"; other=z`:                  `x"y`,
		`a/b; name=x y.txt; z=1`:                     "x y.txt",
		`a/b; (comment) name (c) = (c) x (c)`:        "x",
		`a/b; ; name=x`:                              "x",
		`a/b junk; name=x`:                           "x",
		`a/b; name="x`:                               "x",
		`a/b; name*=utf-8'en'%e2%82%ac%20rates`:      "€ rates",
		`a/b; name*=iso-8859-1''%A3`:                 "£",
		`a/b; name*=x%20y`:                           "x y",
		`a/b; name*0=x; name*1="y z"; name*2=".txt"`: "xy z.txt",
		`a/b; name*1=y; name*0=x; name*3=w`:          "xy",
		`a/b; name*0*=us-ascii'en'This%20is; name*1*=%2A%2A%2Afun; name*2="it!"`: "This is***funit!",
		`a/b; name=x other="z"; c=d`:           "x",
		`a/b; name*1*=%20y; name*0=x`:          "x y",
		`a/b; name=plain; name*=utf-8''better`: "better",
		`a/b; name="=?utf-8?q?w=C3=B6rd?="`:    "wörd",
		`a/b; names=x`:                         "",
		`a/b`:                                  "",
	} {
		m := mustParse(t, "Content-Type: "+value+"\r\n\r\n")
		if got := m.Root.Param("name"); got != want {
			t.Errorf("%s: %q, want %q (%q)", value, got, want, m.Root.Params)
		}
	}
}

func TestAddressLists(t *testing.T) {
	box := func(name, local, host string) Mailbox { return Mailbox{Name: name, Local: local, Host: host} }
	bad := func(m Mailbox) Mailbox { m.Malformed = true; return m }
	for in, want := range map[string][]Mailbox{
		"":                        nil,
		" , ,":                    nil,
		"a@b":                     {box("", "a", "b")},
		"a@b, c@d":                {box("", "a", "b"), box("", "c", "d")},
		"a@b; c@d":                {box("", "a", "b"), box("", "c", "d")},
		"A B <a@b>":               {box("A B", "a", "b")},
		"A   B\t<a@b>":            {box("A B", "a", "b")},
		`"A, B" <a@b>`:            {box("A, B", "a", "b")},
		`"A" "B" <a@b>`:           {box("A B", "a", "b")},
		`A "B \"C\"" D. <a@b>`:    {box(`A B "C" D.`, "a", "b")},
		"a@b (A B)":               {box("A B", "a", "b")},
		"<a@b> (A B)":             {box("A B", "a", "b")},
		"(x (y) z) a@b":           {box("x (y) z", "a", "b")},
		"a . b @ c . d":           {box("", "a.b", "c.d")},
		`"a b"@c`:                 {box("", "a b", "c")},
		`"a".b@c`:                 {box("", "a.b", "c")},
		"a@[1.2.3.4]":             {box("", "a", "[1.2.3.4]")},
		"<@r1,@r2:a@b>":           {{Adl: "@r1,@r2", Local: "a", Host: "b"}},
		"[list] x <a@b>":          {box("[list] x", "a", "b")},
		"a":                       {bad(box("", "a", ""))},
		"<a>":                     {bad(box("", "a", ""))},
		"<>":                      {bad(box("", "", ""))},
		"<a@b@c>":                 {bad(box("", "a", "b"))},
		"a@b@c":                   {bad(box("", "a", "b"))},
		"a@b c":                   {bad(box("", "a", "b"))},
		"a@b <c@d>":               {bad(box("a@b", "c", "d"))}, // as all others read it
		"<a@b":                    {bad(box("", "a", "b"))},
		"<a@b, c@d":               {bad(box("", "a", "b")), box("", "c", "d")},
		"A B":                     {bad(box("A B", "", ""))},
		`"A", c@d`:                {bad(box("A", "", "")), box("", "c", "d")},
		`"a@b`:                    {bad(box("a@b", "", ""))},
		"a@":                      {bad(box("", "a", ""))},
		"@b":                      {bad(box("", "", "b"))},
		"A <a@b> junk, c@d":       {bad(box("A", "a", "b")), box("", "c", "d")},
		"g:;":                     {{Kind: GroupStart, Local: "g"}, {Kind: GroupEnd}},
		"g h: a@b, C <c@d>;, e@f": {{Kind: GroupStart, Local: "g h"}, box("", "a", "b"), box("C", "c", "d"), {Kind: GroupEnd}, box("", "e", "f")},
		"g: a@b; h: c@d;":         {{Kind: GroupStart, Local: "g"}, box("", "a", "b"), {Kind: GroupEnd}, {Kind: GroupStart, Local: "h"}, box("", "c", "d"), {Kind: GroupEnd}},
		"g: a@b":                  {{Kind: GroupStart, Local: "g"}, box("", "a", "b"), bad(Mailbox{Kind: GroupEnd})},
		"=?utf-8?q?a?= b <a@b>":   {box("=?utf-8?q?a?= b", "a", "b")},
		"J\xf6 <a@b>":             {box("J\xf6", "a", "b")},
	} {
		got := ParseAddressList(in, 100)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", in, d)
		}
	}
	if got := ParseAddressList("a@b, c@d, e@f", 2); len(got) != 2 {
		t.Errorf("%d members of at most 2", len(got))
	}
	if got := ParseAddressList("g: a@b, c@d, e@f;", 2); len(got) != 3 || got[2].Kind != GroupEnd {
		t.Errorf("a group that is cut must end: %v", got)
	}
	if got := ParseAddressList(`"a b"@c`, 1)[0].Address(); got != `"a b"@c` {
		t.Errorf("written as %s", got)
	}
}

func load(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func TestTransferEncodings(t *testing.T) {
	for _, c := range []struct{ encoding, in, want string }{
		{"", "a=3D\r\n", "a=3D\r\n"},
		{"8bit", "\xff\r\n", "\xff\r\n"},
		{"binary", "\x00", "\x00"},
		{"base64", "aGVs\r\nbG8=", "hello"},
		{"base64", "aGVs bG8", "hello"},
		{"base64", "!aG*VsbG8=\r\n", "hello"},
		{"base64", "aGVsbG8=aGVsbG8=", "hellohello"},
		{"base64", "a", ""},
		{"quoted-printable", "a=3Db=E4", "a=b\xe4"},
		{"quoted-printable", "a=\r\nb", "ab"},
		{"quoted-printable", "a= \t\r\nb", "ab"},
		{"quoted-printable", "a=\nb", "ab"},
		{"quoted-printable", "a  \r\nb \t\r\n", "a\r\nb\r\n"},
		{"quoted-printable", "a  b", "a  b"},
		{"quoted-printable", "a=3d=", "a="},
		{"quoted-printable", "a=3", "a=3"},
		{"quoted-printable", "a=zz=3x", "a=zz=3x"},
		{"quoted-printable", "a= b", "a= b"},
		{"quoted-printable", "==41", "=A"},
		{"quoted-printable", "a=\rb", "ab"},
		{"quoted-printable", strings.Repeat(" ", 5000) + "x", strings.Repeat(" ", 5000) + "x"},
	} {
		p := &Part{End: int64(len(c.in)), Encoding: c.encoding}
		for name, wrap := range map[string]func(io.Reader) io.Reader{"": func(r io.Reader) io.Reader { return r }, "one byte": iotest.OneByteReader} {
			got, err := io.ReadAll(wrap(DecodePart(p, strings.NewReader(c.in))))
			if err != nil || string(got) != c.want {
				t.Errorf("%s %q %s: %q, %v", c.encoding, c.in, name, got, err)
			}
		}
		if n, err := DecodedSize(p, strings.NewReader(c.in)); n != int64(len(c.want)) || err != nil {
			t.Errorf("%s %q: size %d, %v", c.encoding, c.in, n, err)
		}
	}
	p := &Part{Encoding: "x-uuencode", End: 1}
	if _, err := io.ReadAll(DecodePart(p, strings.NewReader("x"))); !errors.Is(err, ErrUnknownEncoding) || p.KnownEncoding() {
		t.Errorf("unknown encoding: %v", err)
	}
	if _, err := DecodedSize(p, strings.NewReader("x")); !errors.Is(err, ErrUnknownEncoding) {
		t.Errorf("size in unknown encoding: %v", err)
	}
}

func TestLargeBase64SurvivesItsBuffers(t *testing.T) {
	want := strings.Repeat("0123456789abcdef", 5000)
	var b strings.Builder
	line := "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm\r\n" // 48 bytes
	for range 80000/48 + 1 {
		b.WriteString(line)
	}
	p := &Part{End: int64(b.Len()), Encoding: "base64"}
	got, err := io.ReadAll(DecodePart(p, strings.NewReader(b.String())))
	if err != nil || !strings.HasPrefix(string(got), want) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func TestTextIsReadAsUTF8(t *testing.T) {
	for _, c := range []struct{ header, body, want string }{
		{"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable", "gr=FCn", "grün"},
		{"Content-Type: text/plain; charset=\"UTF-8\"\nContent-Transfer-Encoding: base64", "Z3LDvG4=", "grün"},
		{"Content-Type: text/plain; charset=utf-16le\nContent-Transfer-Encoding: base64", "ZwByAPwAbgA=", "grün"},
		{"Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64", "/v8AZwByAPwAbg==", "grün"},
		{"Content-Type: text/plain; charset=UTF-16\nContent-Transfer-Encoding: base64", "//5nAHIA/ABuAA==", "grün"},
		{"Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64", "ZwByAPwAbgA=", "grün"},
		{"Content-Type: text/plain; charset=nonsense", "x", "x"},
		{"Content-Transfer-Encoding: x-unknown", "x", "x"},
		{"", "grün", "grün"},
	} {
		text := crlf(c.header + "\n\n" + c.body)
		if c.header == "" {
			text = crlf("A: b\n\n" + c.body)
		}
		m := mustParse(t, text)
		got, err := io.ReadAll(TextReader(m.Root, strings.NewReader(text)))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v", c.header, got, err)
		}
	}
}

func TestHeaderIsReadAsItStands(t *testing.T) {
	h := ParseHeader([]byte("A: 1\r\nno field\r\nB :\r\n 2\r\n\t3 \r\na:4\r\n\r\nC: body\r\n"))
	if len(h.Fields) != 4 || h.Get("a") != "1" || h.Get("b") != "2\t3" || h.Count("A") != 2 || h.All("a")[1].Value() != "4" || h.Get("c") != "" {
		t.Fatalf("%q", h.Fields)
	}
	if h.Fields[1].Name != "" || string(h.Fields[1].Raw) != "no field\r\n" {
		t.Fatalf("%q", h.Fields[1])
	}
	if f := (Field{Name: "X", Raw: []byte("X: made\r\n by hand\r\n")}); f.Value() != "made by hand" {
		t.Fatalf("%q", f.Value())
	}
}
