package directory

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestThePasswordRuleNamesWhatIsMissing(t *testing.T) {
	for in, want := range map[string]string{
		"Secret-Garden-7":                     "",
		"Postern-demo-1":                      "",
		"Tr0ub4dor&3":                         "",
		"correct Horse 1":                     "", // a space is a symbol
		"\u00dcber-gro\u00df 1":               "",
		"\u0416\u0438\u0437\u043d\u044c-2026": "",
		"A1!" + strings.Repeat("x", 253):      "",
		"A1!" + strings.Repeat("x", 254):      "too long: 257 characters, at most 256",
		"":                                    "8 characters or more, an uppercase letter, a number and a symbol",
		"Abc-12x":                             "needs 8 characters or more",
		"secret-garden-7":                     "needs an uppercase letter",
		"Secret-Garden-X":                     "needs a number",
		"SecretGarden77":                      "needs a symbol",
		"secretgarden":                        "needs an uppercase letter, a number and a symbol",
		"SECRET GARDEN":                       "needs a number",
		"Ae\u0301\u0301\u0301\u0301-1":        "8 characters or more", // seven, once composed
		"Abcd\x00-123":                        "control character",
		"Abcd\xff-123":                        "control character",
		"Password1!":                          "attackers try first",
		"P@ssw0rd":                            "attackers try first",
		"P@$$w0rd1":                           "attackers try first",
		"1Password!":                          "attackers try first",
		"!Passwort123":                        "attackers try first",
		"Summer2026!":                         "attackers try first",
		"W3lcome!":                            "attackers try first",
		"Qwerty123!":                          "attackers try first",
		"1Qaz@wsx":                            "attackers try first",
		"Abc123!@#":                           "attackers try first",
		"Admin@123":                           "attackers try first",
		"Passw0rd-of-the-house":               "",
	} {
		_, err := CheckPassword(in)
		switch {
		case want == "" && err != nil:
			t.Errorf("%.40q: %v", in, err)
		case want != "" && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want)):
			t.Errorf("%.40q: %v, want %q", in, err, want)
		}
		if err != nil && in != "" && strings.Contains(err.Error(), in) {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
}

func FuzzCheckPassword(f *testing.F) {
	for _, s := range []string{"Secret-Garden-7", "P@ssw0rd", "\u2160-\u0661abcdef", "Ae\u0301-1xxxx", "\xff", "A1 \u200b\u200b\u200b\u200b\u200b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		prepared, err := CheckPassword(s)
		if err != nil {
			return
		}
		n := utf8.RuneCountInString(prepared)
		if n < 8 || n > 256 || !strings.ContainsFunc(prepared, unicode.IsDigit) || !strings.ContainsFunc(prepared, isSymbol) {
			t.Fatalf("%q was taken as %q", s, prepared)
		}
		if again, err := CheckPassword(prepared); err != nil || again != prepared {
			t.Fatalf("%q: prepared %q, then %q, %v", s, prepared, again, err)
		}
	})
}

func FuzzVerifier(f *testing.F) {
	f.Add(makeVerifier("x", 1).String())
	f.Add("$pbkdf2-sha256-scram$i=1$AAAA$AAAA$AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := parseVerifier(s)
		if err != nil {
			return
		}
		if again, err := parseVerifier(v.String()); err != nil || again != v {
			t.Fatalf("%q reads %v, then %v, %v", s, v, again, err)
		}
	})
}
