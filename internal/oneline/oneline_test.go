package oneline

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestATextStaysOnItsLine(t *testing.T) {
	for in, want := range map[string]string{
		"  plain \n":           "plain",
		"a\r\nX-Spam-Flag: NO": "a  X-Spam-Flag: NO",
		"\x1b[2Jgone":          "[2Jgone",
		"a\u2028b\u0085c":      "a b c",
		"bad\xffutf":           "bad?utf",
		"ääääääääääääääääääääää": "ääääääääää",
		strings.Repeat("x", 50):  strings.Repeat("x", 21),
	} {
		if got := Text(in, 21); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\r\nb", 3)
	f.Add("\xe2\x80", 2)
	f.Fuzz(func(t *testing.T, s string, most int) {
		most = max(0, min(most, 1000))
		got := Text(s, most)
		if !utf8.ValidString(got) || len(got) > most || strings.ContainsAny(got, "\r\n\x00\x1b") {
			t.Errorf("%q, %d: %q", s, most, got)
		}
	})
}
