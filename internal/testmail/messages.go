package testmail

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// Messages are classes of hostile messages, one for each that is known. They are whole, but have no author and no date.
func Messages() []Class {
	return []Class{
		{"many parts", func(n int) string { return Multipart(strings.Repeat("--b\n\nx\n", n/7)) }},
		{"many empty parts", func(n int) string { return Multipart(strings.Repeat("--b\n", n/4)) }},
		{"many closing delimiters", func(n int) string { return Multipart(strings.Repeat("--b--\n", n/6)) }},
		{"nested multiparts", func(n int) string { return NestedMultiparts(n / 100) }},
		{"nested multiparts of one boundary", func(n int) string {
			return Multipart(strings.Repeat("--b\nContent-Type: multipart/mixed; boundary=b\n\n", n/48))
		}},
		{"boundaries that are prefixes", func(n int) string {
			var b strings.Builder
			for i := 1; b.Len() < n/2 && i < 240; i++ {
				fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=%s\n\n--%[1]s\n", strings.Repeat("b", i))
			}
			b.WriteString(strings.Repeat("--"+strings.Repeat("b", 240)+"x\n", n/500))
			return crlf(b.String())
		}},
		{"lines that look like delimiters", func(n int) string { return Multipart("--b\n\n" + strings.Repeat("--c\n--bb\n--b-\n", n/14)) }},
		{"one line of hyphens", func(n int) string { return Multipart("--b\n\n" + strings.Repeat("-", n)) }},
		{"messages in messages", func(n int) string { return crlf(strings.Repeat("Content-Type: message/rfc822\n\n", n/30)) }},
		{"digests of messages", func(n int) string {
			return crlf("Content-Type: multipart/digest; boundary=b\n\n" + strings.Repeat("--b\n\nSubject: x\n\nx\n", n/20))
		}},
		{"messages and multiparts by turns", func(n int) string {
			var b strings.Builder
			for i := 0; b.Len() < n; i++ {
				fmt.Fprintf(&b, "Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
			}
			return crlf(b.String())
		}},
		{"encodings in encodings", func(n int) string {
			text := "x"
			for len(text) < n/4 {
				text = "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte(text))
			}
			return crlf(text + "\n")
		}},
		{"pieces of a parameter", func(n int) string {
			var b strings.Builder
			b.WriteString("Content-Type: a/b")
			for i := 0; b.Len() < n; i++ {
				fmt.Fprintf(&b, ";\n name*%d*=%%41", i)
			}
			return crlf(b.String() + "\n\nx\n")
		}},
		{"pieces in the wrong order", func(n int) string {
			var b strings.Builder
			b.WriteString("Content-Type: a/b")
			for i := n / 20; i >= 0; i-- {
				fmt.Fprintf(&b, ";\n name*%d=x", i)
			}
			return crlf(b.String() + "\n\nx\n")
		}},
		{"percent signs", func(n int) string {
			return crlf("Content-Disposition: attachment; filename*=utf-8''" + strings.Repeat("%41", n/3) + "\n\nx\n")
		}},
		{"semicolons", func(n int) string { return crlf("Content-Type: a/b" + strings.Repeat(";", n) + "\n\nx\n") }},
		{"names without values", func(n int) string { return crlf("Content-Type: a/b" + strings.Repeat(";a", n/2) + "\n\nx\n") }},
		{"fields", func(n int) string { return strings.Repeat("X: y\r\n", n/6) + "\r\nx\r\n" }},
		{"lines that are no fields", func(n int) string { return strings.Repeat("x\r\n", n/3) + "\r\nx\r\n" }},
		{"one giant field", func(n int) string { return "Subject: " + strings.Repeat("x", n) + "\r\n\r\nx\r\n" }},
		{"one field of many lines", func(n int) string { return "Subject: x\r\n" + strings.Repeat(" x\r\n", n/4) + "\r\nx\r\n" }},
		{"a giant header in each part", func(n int) string {
			return Multipart(strings.Repeat("--b\n"+strings.Repeat("Content-Description: "+strings.Repeat("x", 200)+"\n", 10)+"\nx\n", n/2300))
		}},
		{"a header without end", func(n int) string { return strings.Repeat("Received: x\r\n", n/13) }},
		{"addresses", func(n int) string { return "To: " + strings.Repeat("a@b.example, ", n/13) + "\r\n\r\nx\r\n" }},
		{"address fields", func(n int) string { return strings.Repeat("To: a@b.example\r\n", n/17) + "\r\nx\r\n" }},
		{"groups", func(n int) string { return "To: " + strings.Repeat("g:a@b;,", n/7) + "\r\n\r\nx\r\n" }},
		{"groups in groups", func(n int) string { return "To: " + strings.Repeat("g:", n/2) + "\r\n\r\nx\r\n" }},
		{"comments in comments", func(n int) string {
			return "To: " + strings.Repeat("(", n/2) + strings.Repeat(")", n/2) + "a@b\r\n\r\nx\r\n"
		}},
		{"comments without end", func(n int) string { return "To: " + strings.Repeat("(a ", n/3) + "\r\n\r\nx\r\n" }},
		{"quoted strings with escapes", func(n int) string { return "To: " + strings.Repeat(`"\a" <a@b>,`, n/11) + "\r\n\r\nx\r\n" }},
		{"quotation marks", func(n int) string { return "To: " + strings.Repeat(`"`, n) + "\r\n\r\nx\r\n" }},
		{"angle brackets", func(n int) string { return "To: " + strings.Repeat("<@", n/2) + "\r\n\r\nx\r\n" }},
		{"source routes", func(n int) string { return "To: <" + strings.Repeat("@a,", n/3) + ":a@b>\r\n\r\nx\r\n" }},
		{"dots in a domain", func(n int) string {
			return "To: " + strings.Repeat("a@b"+strings.Repeat(". c", 300)+",", n/900) + "\r\n\r\nx\r\n"
		}},
		{"encoded-words", func(n int) string { return "Subject: " + strings.Repeat("=?utf-8?q?a?= ", n/15) + "\r\n\r\nx\r\n" }},
		{"encoded-words of many charsets", func(n int) string {
			return "Subject: " + strings.Repeat("=?iso-2022-jp?b?GyRC?= =?gbk?q?=81?= =?utf-7?q?+?= ", n/50) + "\r\n\r\nx\r\n"
		}},
		{"begins of encoded-words", func(n int) string { return "Subject: " + strings.Repeat("=?a?q?x", n/7) + "\r\n\r\nx\r\n" }},
		{"begins of encoded-words and one end", func(n int) string {
			return "Subject: " + strings.Repeat("=?a b?q?x", n/9) + "?=\r\n\r\nx\r\n"
		}},
		{"begins of encoded-words in names", func(n int) string { return "From: " + strings.Repeat("=?a?q?x ", n/8) + " <a@b>\r\n\r\nx\r\n" }},
		{"base64 that claims gigabytes", func(n int) string {
			return "Content-Transfer-Encoding: base64\r\nContent-Length: 99999999999\r\n" +
				"Content-Disposition: attachment; size=99999999999\r\n\r\n" + strings.Repeat("QUFB", n/4)
		}},
		{"base64 that is none", func(n int) string { return "Content-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("=A*", n/3) }},
		{"quoted-printable of white space", func(n int) string {
			return "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat(" ", n) + "="
		}},
		{"quoted-printable of equals signs", func(n int) string {
			return "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("= ", n/2)
		}},
		{"NUL, 8-bit and control characters", func(n int) string {
			return "Subject: \x00\x01\xff\r\n\r\n" + strings.Repeat("\x00\x80\xff\x1b\r", n/5)
		}},
		{"UTF-7", func(n int) string {
			return "Content-Type: text/plain; charset=utf-7\r\n\r\n" + strings.Repeat("+ADw-+2D3cAA+", n/13)
		}},
		{"UTF-16 halves", func(n int) string {
			return "Content-Type: text/plain; charset=utf-16\r\n\r\n" + strings.Repeat("\xd8\x00", n/2)
		}},
		{"escapes of ISO-2022", func(n int) string {
			return "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n" + strings.Repeat("\x1b$B\x1b(B", n/6)
		}},
		{"tags in HTML", func(n int) string { return "Content-Type: text/html\r\n\r\n" + strings.Repeat("<div>", n/5) }},
		{"an attribute in HTML", func(n int) string { return "Content-Type: text/html\r\n\r\n<a href='" + strings.Repeat("x", n) }},
		{"comments in HTML", func(n int) string { return "Content-Type: text/html\r\n\r\n" + strings.Repeat("<!---->", n/7) }},
		{"entities in HTML", func(n int) string {
			return "Content-Type: text/html\r\n\r\n" + strings.Repeat("&#65;&NotEqualTilde;", n/20)
		}},
	}
}

// Multipart is a multipart with the boundary "b" and a body, whose lines end in LF.
func Multipart(body string) string {
	return crlf("Content-Type: multipart/mixed; boundary=b\n\n" + body)
}

// NestedMultiparts are n multiparts in each other.
func NestedMultiparts(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=\"b%d\"\r\n\r\n--b%d\r\n", i, i)
	}
	b.WriteString("\r\nthe end\r\n")
	return b.String()
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
