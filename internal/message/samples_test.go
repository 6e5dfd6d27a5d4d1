package message

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"postern/internal/testenv"
)

// samples gives the messages of the suites of others, with CRLF and as they are.
func samples(t testing.TB) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, dir := range []string{"mime-python-email", "mime-mail-parser", "mime-mimekit", "bounce-sisimai"} {
		root := testenv.Testdata(t, dir)
		before := len(all)
		for _, path := range filesBelow(t, root, "") {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name, text := filepath.Join(dir, nameBelow(root, path)), string(b)
			all[name] = text
			if !strings.Contains(text, "\r\n") {
				all[name+" with CRLF"] = crlf(text)
			}
		}
		if len(all) == before {
			t.Fatalf("%s has no samples", dir)
		}
	}
	return all
}

// TestSamplesOfOthersLoseNothing reads whatever lies in the folders, messages or not: each byte is in its place in the
// structure, the fields are the header, everything is decoded to its end, and Meta keeps it all.
func TestSamplesOfOthersLoseNothing(t *testing.T) {
	for name, text := range samples(t) {
		t.Run(name, func(t *testing.T) {
			m := mustParse(t, text)
			checkRanges(t, text, m.Root)
			checkCover(t, text, m.Root)
			if m.steps > 4*int64(len(text)+100) {
				t.Errorf("%d steps for %d bytes", m.steps, len(text))
			}
			if !m.HeaderTooBig {
				checkFields(t, m.Header, text[:m.Root.BodyStart])
			}
			checkMeta(t, m)
			for p := range m.Root.All() {
				checkFields(t, ParseHeader([]byte(text[p.HeaderStart:p.BodyStart])), text[p.HeaderStart:p.BodyStart])
				checkDecoded(t, text, p)
			}
		})
	}
}

// checkCover puts the message together from its headers, leaves, and what is between them: preambles, delimiter lines,
// epilogues, each of which must be what it is called.
func checkCover(t testing.TB, text string, root *Part) {
	t.Helper()
	var b strings.Builder
	cover(t, &b, text, root)
	if b.String() != text {
		t.Fatalf("the pieces of the message are not the message")
	}
}

func cover(t testing.TB, b *strings.Builder, text string, p *Part) {
	t.Helper()
	b.WriteString(text[p.HeaderStart:p.BodyStart])
	if p.Embedded != nil {
		cover(t, b, text, p.Embedded)
		return
	}
	delimiter := "--" + strings.TrimRight(p.Param("boundary"), " \t")
	at := p.BodyStart
	for i, c := range p.Children {
		between := text[at:c.HeaderStart]
		if i > 0 {
			checkDelimiter(t, between, delimiter)
		}
		b.WriteString(between)
		cover(t, b, text, c)
		at = c.End
	}
	rest := text[at:p.End]
	if len(p.Children) > 0 && rest != "" {
		closing, _, _ := strings.Cut(strings.TrimLeft(rest, "\r\n"), "\n")
		checkDelimiter(t, strings.TrimRight(closing, " \t\r"), delimiter+"--")
	}
	b.WriteString(rest)
}

// checkDelimiter checks that a line is a delimiter, with the line end before it and white space behind it (RFC 2046 5.1.1).
func checkDelimiter(t testing.TB, line, want string) {
	t.Helper()
	line = strings.TrimPrefix(strings.TrimPrefix(line, "\r"), "\n")
	if strings.TrimRight(line, " \t\r\n") != want || strings.Count(line, "\n") > 1 {
		t.Fatalf("between parts: %q, want %q", line, want)
	}
}

// checkFields checks that the fields joined are the header, but for the empty line behind it.
func checkFields(t testing.TB, h Header, header string) {
	t.Helper()
	var b strings.Builder
	for _, f := range h.Fields {
		b.Write(f.Raw)
		if unfold(f.text) != f.Value() {
			t.Errorf("field %q has the values %q and %q", f.Raw, unfold(f.text), f.Value())
		}
	}
	if len(h.Fields) == DefaultLimits.Fields {
		return // there may be more
	}
	if rest, ok := strings.CutPrefix(header, b.String()); !ok || rest != "" && rest != "\n" && rest != "\r\n" {
		t.Errorf("behind the fields: %q", rest)
	}
}

// checkDecoded decodes a leaf in several ways, which must agree with each other and with the standard library where that
// understands the encoding.
func checkDecoded(t testing.TB, text string, p *Part) {
	t.Helper()
	r := strings.NewReader(text)
	decoded, err := io.ReadAll(DecodePart(p, r))
	if !p.KnownEncoding() {
		if err != ErrUnknownEncoding {
			t.Errorf("%s: %v", p.Encoding, err)
		}
		return
	}
	slowly, errSlowly := io.ReadAll(iotest.OneByteReader(DecodePart(p, r)))
	size, errSize := DecodedSize(p, r)
	if err != nil || errSlowly != nil || errSize != nil || !bytes.Equal(decoded, slowly) || size != int64(len(decoded)) {
		t.Errorf("%d bytes, %d byte by byte, %d by DecodedSize, %v %v %v", len(decoded), len(slowly), size, err, errSlowly, errSize)
	}
	switch p.Encoding {
	case "base64":
		want, err := base64.StdEncoding.DecodeString(body(text, p))
		if err == nil && !bytes.Equal(decoded, want) {
			t.Errorf("base64: %q, want %q", decoded, want)
		}
	case "quoted-printable":
		want, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body(text, p))))
		if plain := strings.TrimRight(body(text, p), " \t="); err == nil && plain == body(text, p) && !bytes.Equal(decoded, want) {
			t.Errorf("quoted-printable: %q, want %q", decoded, want)
		}
	}
	all, err := io.ReadAll(TextReader(p, r))
	slowly, errSlowly = io.ReadAll(iotest.OneByteReader(TextReader(p, iotestReader{r})))
	if err != nil || errSlowly != nil || !utf8.Valid(all) || !bytes.Equal(all, slowly) {
		t.Errorf("text: %d bytes, %d byte by byte, %v %v, valid %v", len(all), len(slowly), err, errSlowly, utf8.Valid(all))
	}
	if p.Param("charset") == "" && utf8.Valid(decoded) && !bytes.Equal(all, decoded) {
		t.Errorf("text without a charset is changed")
	}
}

// iotestReader gives its bytes in small pieces.
type iotestReader struct{ r io.ReaderAt }

func (r iotestReader) ReadAt(p []byte, off int64) (int, error) {
	if len(p) > 7 {
		n, err := r.r.ReadAt(p[:7], off)
		return n, err
	}
	return r.r.ReadAt(p, off)
}
