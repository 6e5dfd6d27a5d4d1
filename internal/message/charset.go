package message

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// lookUpCharset finds a charset by any of its names. nil means that the bytes are UTF-8 already, or that nobody knows.
func lookUpCharset(name string) encoding.Encoding {
	name = lower(strings.Trim(name, " \t\"'"))
	switch name {
	case "", "utf-8", "utf8", "us-ascii", "ascii", "ansi_x3.4-1968", "unknown-8bit", "x-unknown":
		return nil
	case "cp932", "x-ms-cp932", "ms932":
		return japanese.ShiftJIS
	case "cp949", "ms949", "ks_c_5601-1987":
		return korean.EUCKR
	case "cp936", "x-gbk", "ms936":
		return simplifiedchinese.GBK
	case "cp850", "ibm850":
		return charmap.CodePage850
	case "cp437", "ibm437":
		return charmap.CodePage437
	case "utf-16", "utf16": // a mark tells the order of bytes; without one most programs mean the little end first
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case "utf-7", "utf7", "unicode-1-1-utf-7", "x-unicode-2-0-utf-7", "csunicode11utf7":
		return utf7{}
	case "ansi", "iso-8859-8-i", "iso8859-1", "cp1252":
		if name == "iso-8859-8-i" {
			return charmap.ISO8859_8
		}
		return charmap.Windows1252
	}
	if e, err := htmlindex.Get(name); err == nil {
		if canonical, err := htmlindex.Name(e); err == nil && canonical == "utf-8" {
			return nil
		}
		return e
	}
	if rest, ok := strings.CutPrefix(name, "cp125"); ok {
		name = "windows-125" + rest
	}
	if e, err := ianaindex.MIME.Encoding(name); err == nil {
		return e
	}
	return nil
}

// toUTF8 converts b. What is no valid text of its charset, or of no known one, is taken for Windows-1252, which reads
// anything.
func toUTF8(b []byte, charset string) string {
	if e := lookUpCharset(charset); e != nil {
		if out, err := e.NewDecoder().Bytes(b); err == nil {
			return string(out)
		}
	}
	if utf8.Valid(b) {
		return string(b)
	}
	out, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		out = bytes.ToValidUTF8(b, []byte("\uFFFD"))
	}
	return string(out)
}

// charsetReader converts a stream. Text of an unknown charset is taken for UTF-8, with Windows-1252 where it is none.
func charsetReader(r io.Reader, charset string) io.Reader {
	if e := lookUpCharset(charset); e != nil {
		return transform.NewReader(r, e.NewDecoder())
	}
	return &looseReader{r: r}
}
