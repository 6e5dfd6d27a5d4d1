package managesieve

import (
	"strings"
	"testing"
)

func TestAStringIsQuotedIfItCanBe(t *testing.T) {
	for text, want := range map[string]string{
		"":                        `""`,
		"plain":                   `"plain"`,
		`a "b" \`:                 `"a \"b\" \\"`,
		"caf\u00e9":               "\"caf\u00e9\"",
		"two\r\nlines":            "{10}\r\ntwo\r\nlines",
		"\xff":                    "{1}\r\n\xff",
		"\x00":                    "{1}\r\n\x00",
		strings.Repeat("x", 1024): `"` + strings.Repeat("x", 1024) + `"`,
		strings.Repeat("x", 1025): "{1025}\r\n" + strings.Repeat("x", 1025),
		strings.Repeat(`"`, 512):  `"` + strings.Repeat(`\"`, 512) + `"`,
		strings.Repeat(`\`, 513):  "{513}\r\n" + strings.Repeat(`\`, 513),
	} {
		if got := string(appendString(nil, text)); got != want {
			t.Errorf("%.20q: %.40q, want %.40q", text, got, want)
		}
	}
}

func TestTextsOfSeveralLines(t *testing.T) {
	for _, test := range []struct {
		texts []string
		want  string
	}{
		{[]string{"one"}, "one"},
		{[]string{"one\n", "two\nthree\r\n"}, "one\r\n\r\ntwo\r\nthree"},
		{[]string{"a\xffb"}, "a?b"},
		{[]string{strings.Repeat("line\n", 10_000)}, strings.Repeat("line\r\n", maxText/5) + "... and more"},
		{[]string{strings.Repeat("x", 10_000)}, "... and more"},
	} {
		if got := lines(test.texts...); got != test.want {
			t.Errorf("%.40q: %.60q (%d bytes), want %d bytes", test.texts, got, len(got), len(test.want))
		}
	}
}
