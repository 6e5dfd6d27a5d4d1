package authres

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"postern/internal/message"
)

// Limits of what is read.
const (
	maxLength  = 64 << 10
	maxResults = 200
	maxProps   = 50
)

// Parse reads the value of a field, folds and comments included (RFC 8601 2.2). A result that cannot be read is left out
// and is the error; the others stand. Without an authserv-id there is no field.
func Parse(value string) (Field, error) {
	if len(value) > maxLength {
		return Field{}, errors.New("the Authentication-Results field is too long")
	}
	r := reader{s: value}
	var f Field
	var err error
	if f.ID, err = r.value(); err != nil {
		return Field{}, fmt.Errorf("authserv-id: %w", err)
	}
	r.space()
	if c := r.peek(); c >= '0' && c <= '9' {
		if f.Version, err = strconv.Atoi(r.token()); err != nil {
			return Field{}, errors.New("the version is no number")
		}
		r.space()
	}
	if r.more() && r.peek() != ';' {
		return Field{}, errors.New("no semicolon after the authserv-id")
	}
	var first error
	for r.accept(';') {
		result, err := r.result()
		switch {
		case err != nil:
			if first == nil {
				first = fmt.Errorf("result %d: %w", len(f.Results)+1, err)
			}
			r.skip()
		case result.Method != "":
			f.Results = append(f.Results, result)
		}
		if len(f.Results) > maxResults {
			return f, errors.New("too many results")
		}
	}
	return f, first
}

// reader goes through a value; pos never leaves it.
type reader struct {
	s   string
	pos int
}

var errSyntax = errors.New("malformed")

func (r *reader) more() bool { return r.pos < len(r.s) }

func (r *reader) peek() byte {
	if r.more() {
		return r.s[r.pos]
	}
	return 0
}

func (r *reader) accept(c byte) bool {
	r.space()
	if r.more() && r.s[r.pos] == c {
		r.pos++
		return true
	}
	return false
}

// space skips white space and comments. A comment that does not end takes all the rest.
func (r *reader) space() {
	for r.more() {
		switch r.s[r.pos] {
		case ' ', '\t', '\r', '\n':
			r.pos++
		case '(':
			r.pos += message.CommentLength(r.s[r.pos:])
		default:
			return
		}
	}
}

func (r *reader) token() string {
	start := r.pos
	for r.more() && isTokenByte(r.s[r.pos]) {
		r.pos++
	}
	return r.s[start:r.pos]
}

// keyword reads letters, digits and hyphens, in lower case.
func (r *reader) keyword() string {
	r.space()
	start := r.pos
	for r.more() && (isAlnum(r.s[r.pos]) || r.s[r.pos] == '-' || r.s[r.pos] == '_') {
		r.pos++
	}
	return strings.ToLower(r.s[start:r.pos])
}

// value reads a token or a quoted-string.
func (r *reader) value() (string, error) {
	r.space()
	if r.peek() == '"' {
		return r.quoted()
	}
	if t := r.token(); t != "" {
		return t, nil
	}
	return "", errSyntax
}

func (r *reader) quoted() (string, error) {
	var b strings.Builder
	for i := r.pos + 1; i < len(r.s); i++ {
		switch c := r.s[i]; c {
		case '"':
			r.pos = i + 1
			return b.String(), nil
		case '\\':
			if i++; i < len(r.s) {
				b.WriteByte(r.s[i])
			}
		case '\r', '\n':
		default:
			b.WriteByte(c)
		}
	}
	return "", errors.New("a quoted string without an end")
}

// result reads what follows a semicolon. Nothing, or "none", is no result and no error.
func (r *reader) result() (Result, error) {
	var out Result
	out.Method = r.keyword()
	if out.Method == "" || out.Method == "none" && !r.at('=') {
		out.Method = ""
		return out, r.end()
	}
	if r.accept('/') {
		r.space()
		if version := r.token(); version != "1" {
			return out, errors.New("an unknown version of the method")
		}
	}
	if !r.accept('=') {
		return out, errSyntax
	}
	if out.Value = r.keyword(); out.Value == "" {
		return out, errSyntax
	}
	for r.space(); r.more() && r.peek() != ';'; r.space() {
		if err := r.property(&out); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (r *reader) at(c byte) bool {
	r.space()
	return r.peek() == c
}

// end asks that the result is over.
func (r *reader) end() error {
	if r.space(); r.more() && r.peek() != ';' {
		return errSyntax
	}
	return nil
}

// property reads reason=value or type.name=value.
func (r *reader) property(out *Result) error {
	name := r.keyword()
	if name == "reason" && r.accept('=') {
		var err error
		out.Reason, err = r.value()
		return err
	}
	if name == "" || !r.accept('.') {
		return errSyntax
	}
	p := Property{Type: name, Name: r.keyword()}
	if p.Name == "" || !r.accept('=') {
		return errSyntax
	}
	var err error
	if p.Value, err = r.pvalue(); err != nil {
		return err
	}
	if out.Props = append(out.Props, p); len(out.Props) > maxProps {
		return errors.New("too many properties")
	}
	return nil
}

// pvalue reads a value, or an address whose local part may be left out.
func (r *reader) pvalue() (string, error) {
	r.space()
	text := ""
	if r.peek() != '@' {
		var err error
		if text, err = r.value(); err != nil {
			return "", err
		}
	}
	if r.peek() == '@' {
		r.pos++
		domain := r.token()
		if domain == "" && r.peek() == '[' { // an address literal
			start := r.pos
			for r.more() && r.peek() != ']' && r.peek() != ';' {
				r.pos++
			}
			r.pos = min(r.pos+1, len(r.s))
			domain = r.s[start:r.pos]
		}
		if domain == "" {
			return "", errSyntax
		}
		text += "@" + domain
	}
	// What ends a value is white space, a comment or the end of the result.
	if c := r.peek(); r.more() && c != ';' && c != '(' && c != ' ' && c != '\t' && c != '\r' && c != '\n' {
		return "", errSyntax
	}
	return text, nil
}

// skip goes to the next semicolon that is not quoted or in a comment. A quote that does not end takes all the rest.
func (r *reader) skip() {
	for r.space(); r.more() && r.peek() != ';'; r.space() {
		if r.peek() != '"' {
			r.pos++
		} else if _, err := r.quoted(); err != nil {
			r.pos = len(r.s)
		}
	}
}
