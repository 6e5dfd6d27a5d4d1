package managesieve

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// answer is how a command ended. RFC 5804 1.2, 1.3
type answer struct {
	status string // "OK", "NO" or "BYE"
	code   string // what stands in parentheses; may be empty
	text   string // for people, of one or more lines
	silent bool   // there is nobody to hear it
}

// ok is what a command is answered that did what it was asked for.
func ok(text string) answer { return answer{status: "OK", text: text} }

func no(code, text string) answer { return answer{status: "NO", code: code, text: text} }

// bye is the last that a client hears: the session ends with it.
func bye(code, text string) answer { return answer{status: "BYE", code: code, text: text} }

// gone ends a session whose client cannot be told.
func gone() answer { return answer{status: "BYE", silent: true} }

// tryLater is for our own faults. What they are is for the log.
func tryLater() answer { return no("TRYLATER", "Temporary failure, please try again") }

func (a answer) append(b []byte) []byte {
	if a.silent {
		return b
	}
	b = append(b, a.status...)
	if a.code != "" {
		b = append(b, " ("...)
		b = append(b, a.code...)
		b = append(b, ')')
	}
	if a.text != "" {
		b = append(b, ' ')
		b = appendString(b, a.text)
	}
	return append(b, "\r\n"...)
}

// maxQuoted is the longest quoted string, in octets between the quotes. RFC 5804 4
const maxQuoted = 1024

// appendString writes a string: quoted if it can be, else as a literal. RFC 5804 1.2
func appendString(b []byte, s string) []byte {
	escapes := strings.Count(s, `"`) + strings.Count(s, `\`)
	if len(s)+escapes > maxQuoted || strings.ContainsAny(s, "\r\n\x00") || !utf8.ValidString(s) {
		return appendLiteral(b, []byte(s))
	}
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

// appendLiteral writes a string as a literal.
func appendLiteral(b, s []byte) []byte {
	b = append(b, '{')
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, "}\r\n"...)
	return append(b, s...)
}

// maxText is how much a client is told of what is wrong with a script, in bytes.
const maxText = 8 << 10

// lines makes one text of several, each ending as the protocol's lines do.
func lines(texts ...string) string {
	all := strings.ReplaceAll(strings.Join(texts, "\n"), "\r\n", "\n")
	if len(all) > maxText {
		all = all[:maxText]
		all = all[:strings.LastIndexByte(all, '\n')+1] + "... and more"
	}
	return strings.ToValidUTF8(strings.ReplaceAll(strings.TrimRight(all, "\n"), "\n", "\r\n"), "?")
}
