package smtp

import (
	"fmt"
	"strings"

	"postern/internal/reply"
)

// maxParams is more than all known parameters of MAIL together.
const maxParams = 20

// param is one esmtp-param of MAIL or RCPT (RFC 5321 4.1.2).
type param struct {
	key      string // upper case
	value    string
	hasValue bool
}

// parseParams reads the parameters that address.ParsePath found behind a path, separated by one or more spaces.
func parseParams(s string) ([]param, error) {
	var list []param
	for word := range strings.SplitSeq(s, " ") {
		if word == "" {
			continue
		}
		p, ok := parseParam(word)
		if !ok {
			return nil, reply.New(501, "5.5.4", "Syntax error in a parameter")
		}
		for _, earlier := range list {
			if earlier.key == p.key {
				return nil, reply.New(501, "5.5.4", "Parameter %s given twice", p.key)
			}
		}
		if len(list) == maxParams {
			return nil, reply.New(501, "5.5.4", "Too many parameters")
		}
		list = append(list, p)
	}
	return list, nil
}

// parseParam reads esmtp-keyword ["=" esmtp-value].
func parseParam(word string) (param, bool) {
	key, value, hasValue := strings.Cut(word, "=")
	if !isKeyword(key) || hasValue && !isParamValue(value) {
		return param{}, false
	}
	return param{key: strings.ToUpper(key), value: value, hasValue: hasValue}, true
}

// isKeyword is (ALPHA / DIGIT) *(ALPHA / DIGIT / "-").
func isKeyword(s string) bool {
	if s == "" || s[0] == '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-':
		default:
			return false
		}
	}
	return true
}

// isParamValue is 1*(%d33-60 / %d62-126), and UTF-8 where RFC 6531 3.3 allows it; whether it is allowed here is for the
// parameter to say.
func isParamValue(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if b := s[i]; b <= ' ' || b == '=' || b == 0x7f {
			return false
		}
	}
	return true
}

// decodeXtext reads xtext (RFC 3461 4): "+" and two upper-case hexadecimal digits stand for a byte.
func decodeXtext(s string) (string, bool) {
	if isPlainXtext(s) {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			if i+2 >= len(s) {
				return "", false
			}
			high, low := hexDigit(s[i+1]), hexDigit(s[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			b = append(b, byte(high<<4|low))
			i += 2
		case c < '!' || c > '~' || c == '=':
			return "", false
		default:
			b = append(b, c)
		}
	}
	return string(b), true
}

func isPlainXtext(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < '!' || c > '~' || c == '+' || c == '=' {
			return false
		}
	}
	return true
}

func hexDigit(b byte) int {
	switch {
	case '0' <= b && b <= '9':
		return int(b - '0')
	case 'A' <= b && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}

// isPrintable tells whether s has nothing but space and visible ASCII.
func isPrintable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// EncodeXtext writes s as xtext (RFC 3461 4).
func EncodeXtext(s string) string {
	if isPlainXtext(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if isPlainXtext(s[i : i+1]) {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "+%02X", s[i])
		}
	}
	return b.String()
}
