package message

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"postern/internal/testmail"
)

func FuzzParse(f *testing.F) {
	f.Add(typical)
	f.Add(testmail.NestedMultiparts(5))
	f.Add("Content-Type: multipart/digest; boundary=x\r\n\r\n--x\r\n\r\nSubject: a\r\n\r\nb\r\n--x--\r\n")
	f.Add("Content-Type: message/rfc822\n\nTo: g: a@b;\n--x\n\n")
	f.Add("Content-Type: multipart/mixed; boundary*0=x; boundary*1=y\r\n\r\n--xy--\r\n--xy\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		m := mustParse(t, text)
		checkRanges(t, text, m.Root)
		checkMeta(t, m)
		if m.steps > 5*int64(len(text)+100) {
			t.Fatalf("%d steps for %d bytes", m.steps, len(text))
		}
		small, err := Parse(strings.NewReader(text), int64(len(text)), Limits{HeaderBytes: 100, Fields: 3, Depth: 3, Parts: 4, Addresses: 2, Params: 2})
		if err != nil {
			t.Fatal(err)
		}
		checkRanges(t, text, small.Root)
		checkMeta(t, small)
		checkIMAP(t, m.Meta())
	})
}

// checkIMAP checks that the IMAP forms are well-formed: balanced, and nothing in them that IMAP has no way to say.
func checkIMAP(t *testing.T, m Meta) {
	for _, b := range [][]byte{m.AppendEnvelope(nil), m.AppendBodyStructure(nil, true), m.AppendBodyStructure(nil, false)} {
		depth := 0
		for i := 0; i < len(b); i++ {
			switch c := b[i]; {
			case c == '(':
				depth++
			case c == ')':
				depth--
			case c == '"':
				for i++; b[i] != '"'; i++ {
					if b[i] == '\\' {
						i++
					}
					if b[i] >= 0x80 || b[i] == 0 || b[i] == '\r' || b[i] == '\n' {
						t.Fatalf("quoted string with %q: %q", b[i], b)
					}
				}
			case c == '{':
				n := 0
				for i++; b[i] != '}'; i++ {
					n = n*10 + int(b[i]-'0')
				}
				if bytes.IndexByte(b[i+3:i+3+n], 0) >= 0 {
					t.Fatalf("NUL in a literal: %q", b)
				}
				i += 2 + n
			case c <= 0x1f || c >= 0x7f:
				t.Fatalf("%q outside of a string: %q", c, b)
			}
			if depth == 0 && i != len(b)-1 {
				t.Fatalf("ends at %d: %q", i, b)
			}
		}
		if depth != 0 {
			t.Fatalf("not balanced: %q", b)
		}
	}
}

func FuzzMeta(f *testing.F) {
	f.Add([]byte(mustParse(f, typical).Meta()))
	f.Add([]byte(mustParse(f, testmail.NestedMultiparts(3)).Meta()))
	f.Add([]byte{metaVersion, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		m := Meta(b)
		touch(m)
		env, root, err := m.Decode()
		if err != nil {
			return
		}
		checkIMAP(t, m)
		again := EncodeMeta(env, root)
		if _, _, err := again.Decode(); err != nil {
			t.Fatalf("encoded again: %v", err)
		}
	})
}

func FuzzHeaderDecode(f *testing.F) {
	f.Add("=?utf-8?q?a=C3=A4?= =?utf-8?b?w6Q=?= x")
	f.Add("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=")
	f.Fuzz(func(t *testing.T, s string) {
		got := DecodeHeader(s)
		if !utf8.ValidString(got) {
			t.Fatalf("%q gave %q", s, got)
		}
		if strings.ContainsAny(got, "\r\n\x00") {
			t.Fatalf("%q gave a line end: %q", s, got)
		}
		if len(got) > 10*len(s)+10 {
			t.Fatalf("%d bytes gave %d", len(s), len(got))
		}
	})
}

func FuzzAddress(f *testing.F) {
	f.Add(`A "B" <a@b>, g: c@d (x), <@r:e@f>;, "q s"@[1.2.3.4]`)
	f.Fuzz(func(t *testing.T, s string) {
		open := false
		for i, m := range ParseAddressList(s, 50) {
			switch m.Kind {
			case GroupStart:
				if open {
					t.Fatalf("group in a group: %q", s)
				}
				open = true
			case GroupEnd:
				if !open {
					t.Fatalf("end without a group: %q", s)
				}
				open = false
			}
			if i > 51 {
				t.Fatalf("too many members: %q", s)
			}
		}
		if open {
			t.Fatalf("group without an end: %q", s)
		}
	})
}

func FuzzDate(f *testing.F) {
	f.Add("Thu, 15 Feb 2007 01:02:03 +0200 (x)")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDate(s)
		if err != nil {
			return
		}
		again, err := ParseDate(d.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
		if d.Year() >= 1000 && (err != nil || !again.Equal(d)) {
			t.Fatalf("%q is %v, written and read %v, %v", s, d, again, err)
		}
	})
}

func FuzzHeaderScanner(f *testing.F) {
	f.Add([]byte("A: b\r\n c\r\nno field\r\nX : y\n\r\nbody"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all := FilterHeader(nil, b, nil, true)
		again := FilterHeader(nil, all, nil, true)
		if !bytes.Equal(all, again) {
			t.Fatalf("%q gave %q, then %q", b, all, again)
		}
		h := ParseHeader(b)
		n := 0
		for s := ScanHeader(b); s.Next(); n++ {
			if n < len(h.Fields) && h.Fields[n].Value() != string(s.AppendValue(nil)) {
				t.Fatalf("%q: %q and %q", b, h.Fields[n].Value(), s.AppendValue(nil))
			}
		}
	})
}

func FuzzDecodePart(f *testing.F) {
	f.Add([]byte("aGVs\r\nbG8=a=3D= \r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, encoding := range []string{"base64", "quoted-printable"} {
			p := &Part{End: int64(len(b)), Encoding: encoding}
			n, err := DecodedSize(p, bytes.NewReader(b))
			if err != nil || n > int64(len(b)) {
				t.Fatalf("%s: %d bytes gave %d, %v", encoding, len(b), n, err)
			}
		}
	})
}

func FuzzTextReader(f *testing.F) {
	f.Add([]byte("gr\xfcn \xe2\x82\xac \xe2\x82"), "")
	f.Add([]byte("Fr+APY-sche +2D3cAA- +- +AB"), "utf-7")
	f.Add([]byte("\x1b$BF|K\\\x1b(B"), "iso-2022-jp")
	f.Add([]byte("\xd8\x00\x00"), "utf-16")
	f.Fuzz(func(t *testing.T, b []byte, charset string) {
		p := &Part{Type: "text", Subtype: "plain", End: int64(len(b)), Params: []Param{{"charset", charset}}}
		text, err := io.ReadAll(TextReader(p, bytes.NewReader(b)))
		if err != nil || !utf8.Valid(text) || len(text) > 4*len(b)+10 {
			t.Fatalf("%q in %q gave %q, %v", b, charset, text, err)
		}
		slowly, err := io.ReadAll(iotest.OneByteReader(TextReader(p, iotestReader{bytes.NewReader(b)})))
		if err != nil || !bytes.Equal(text, slowly) {
			t.Fatalf("%q in %q gave %q, and byte by byte %q, %v", b, charset, text, slowly, err)
		}
	})
}
