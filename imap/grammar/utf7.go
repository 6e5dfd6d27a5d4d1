package grammar

import (
	"encoding/base64"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// utf7Base64 is the alphabet of RFC 3501 5.1.3: "," instead of "/", no padding.
var utf7Base64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
	WithPadding(base64.NoPadding)

// EncodeUTF7 gives the modified UTF-7 form of a UTF-8 name. RFC 3501 5.1.3
func EncodeUTF7(name string) string {
	if isPlain(name) {
		return name
	}
	return string(appendUTF7(make([]byte, 0, 2*len(name)+16), name))
}

// isPlain reports a name that is its own encoding.
func isPlain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < 0x20 || c > 0x7e || c == '&' {
			return false
		}
	}
	return true
}

func appendUTF7(dst []byte, name string) []byte {
	var units []byte
	flush := func() {
		if len(units) > 0 {
			dst = append(dst, '&')
			dst = utf7Base64.AppendEncode(dst, units)
			dst = append(dst, '-')
			units = units[:0]
		}
	}
	for _, c := range name {
		switch {
		case c == '&':
			flush()
			dst = append(dst, "&-"...)
		case 0x20 <= c && c <= 0x7e:
			flush()
			dst = append(dst, byte(c))
		case c >= 0x10000:
			high, low := utf16.EncodeRune(c)
			units = append(units, byte(high>>8), byte(high), byte(low>>8), byte(low))
		default:
			units = append(units, byte(c>>8), byte(c))
		}
	}
	flush()
	return dst
}

var errUTF7 = errors.New("not modified UTF-7")

// DecodeUTF7 is the strict inverse: what EncodeUTF7 would have written otherwise
// is an error, so that a name has one form only.
func DecodeUTF7(s string) (string, error) {
	if isPlain(s) {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '&' {
			out = append(out, c)
			continue
		}
		end := i + 1
		for end < len(s) && s[end] != '-' {
			end++
		}
		if end == len(s) {
			return "", errUTF7
		}
		if end == i+1 {
			out = append(out, '&')
		} else {
			units, err := utf7Base64.DecodeString(s[i+1 : end])
			if err != nil || len(units)%2 != 0 {
				return "", errUTF7
			}
			out = appendUTF16(out, units)
		}
		i = end
	}
	// Written again it must come out the same: this finds bytes outside ASCII,
	// ASCII in base64, bits left over, split sequences and lone surrogates.
	if EncodeUTF7(string(out)) != s {
		return "", errUTF7
	}
	return string(out), nil
}

// appendUTF16 turns big-endian UTF-16 into UTF-8.
func appendUTF16(dst, units []byte) []byte {
	for len(units) >= 2 {
		c := rune(units[0])<<8 | rune(units[1])
		units = units[2:]
		if utf16.IsSurrogate(c) && len(units) >= 2 {
			if pair := utf16.DecodeRune(c, rune(units[0])<<8|rune(units[1])); pair != utf8.RuneError {
				c = pair
				units = units[2:]
			}
		}
		dst = utf8.AppendRune(dst, c)
	}
	return dst
}
