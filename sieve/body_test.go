package sieve

import (
	"strings"
	"testing"
)

// enclosed is a message of several parts within each other.
const enclosed = "From: ann@example.org\r\nTo: bob@example.com\r\nSubject: Parts\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/mixed; boundary=outer\r\n\r\n" +
	"The prologue.\r\n\r\n" +
	"--outer\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe,\r\nAnn\r\n" +
	"--outer\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n" +
	"--inner\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\nContent-Language: de\r\n\r\nPHA+QmlsbGlnZTxiPiBVaHJlbjwvYj48L3A+\r\n" +
	"--inner--\r\n" +
	"--outer\r\nContent-Type: application/pdf; name=\"bill.pdf\"\r\nContent-Disposition: attachment; filename*=utf-8''bill%20of%20may.pdf\r\n" +
	"Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQ=\r\n" +
	"--outer\r\nContent-Type: message/rfc822\r\n\r\nFrom: eve@example.net\r\nSubject: Inside\r\n\r\nThe inner text.\r\n" +
	"--outer--\r\nThe epilogue.\r\n"

func TestTheBodyIsComparedAsItsTransformSays(t *testing.T) {
	for _, c := range []struct {
		test  string
		holds bool
	}{
		// RFC 5173 5.1
		{`body :raw :contains "--OUTER"`, true},
		{`body :raw :contains "Gr=FC=DFe"`, true},
		{`body :raw :contains "Grüße"`, false},
		{`body :raw :contains "Subject: Parts"`, false},
		{`body :raw :contains :comparator "i;octet" "--OUTER"`, false},
		{`body :raw :matches "The prologue.*The epilogue.*"`, true},
		{`body :raw :count "eq" "1"`, true},
		// RFC 5173 5.2
		{`body :content "text" :contains "Grüße"`, true},
		{`body :content "text/plain" :matches "gr?ße,*ann"`, true},
		{`body :content "TEXT/Plain" :contains "inner text"`, true},
		{`body :content "text/html" :is "<p>Billige<b> Uhren</b></p>"`, true},
		{`body :content ["image", "application/pdf"] :is "%PDF-1.4"`, true},
		{`body :content "" :is "%PDF-1.4"`, true},
		{`body :content "multipart" :is "The prologue.\r\n"`, false}, // a backslash and an r are no line end
		{`body :content "multipart" :matches "The prologue.*"`, true},
		{`body :content "multipart/mixed" :matches "The epilogue.*"`, true},
		{`body :content "multipart" :contains "outer"`, false},
		{`body :content "multipart" :count "eq" "2"`, true},
		{`body :content "multipart/alternative" :contains ""`, false},
		{`body :content "message/rfc822" :contains "Subject: Inside"`, true},
		{`body :content "message" :contains "inner text"`, false},
		{`body :content "text/" :contains ""`, false},
		{`body :content "/plain" :contains ""`, false},
		{`body :content "text/plain/x" :contains ""`, false},
		{`body :content "text" :count "eq" "3"`, true},
		{`body :content ["text", "message", "multipart", "application"] :count "eq" "7"`, true},
		// RFC 5173 5.3
		{`body :contains "Billige Uhren"`, true},
		{`body :text :contains "<b>"`, false},
		{`body :text :contains ["nothing", "INNER text"]`, true},
		{`body :text :contains "%PDF"`, false},
		{`body :text :count "eq" "3"`, true},
		{`body :text :regex "^Gr[^ ]+e,"`, true},
	} {
		if got := holdsFor(t, `"body", "relational", "regex"`, c.test, enclosed); got != c.holds {
			t.Errorf("%s is %v", c.test, got)
		}
	}
}

func TestOddBodiesAreReadAsFarAsTheyMakeSense(t *testing.T) {
	const mixed = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	for _, c := range []struct {
		name, mail, test string
		holds            bool
	}{
		{"no empty line, no body", "Subject: x\r\n", `body :raw :contains ""`, false},
		{"nor texts", "Subject: x\r\n", `body :contains ""`, false},
		{"an empty body", "Subject: x\r\n\r\n", `body :raw :is ""`, true},
		{"no header at all", "\r\nText", `body :raw :is "Text"`, true},
		{"line feeds alone", "Subject: x\n\nText", `body :raw :is "Text"`, true},
		{"an empty message", "", `body :raw :contains ""`, false},
		{"a multipart without a delimiter", mixed + "Only this.\r\n", `body :content "multipart" :contains "Only this"`, true},
		{"no prologue", mixed + "--b\r\n\r\nx\r\n--b--\r\n", `body :content "multipart" :contains ""`, false},
		{"a part that does not end", mixed + "\r\n--b\r\n\r\nx\r\n", `body :content "text" :matches "x*"`, true},
		{"no end, no epilogue", mixed + "--b\r\n\r\nx\r\n", `body :content "multipart" :contains ""`, false},
		{"an encoding that nobody knows", "Content-Transfer-Encoding: x-own\r\n\r\nText", `body :content "" :is "Text"`, true},
		{"a charset that nobody knows", "Content-Type: text/plain; charset=x-own\r\n\r\nText", `body :is "Text"`, true},
		{"an encoded message", "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQTogYgoKYw==", `body :content "message/rfc822" :matches "A: b?"`, true},
		{"damaged base64", "Content-Transfer-Encoding: base64\r\n\r\n!!VGV4\r\ndA=", `body :is "Text"`, true},
	} {
		if got := holdsFor(t, `"body"`, c.test, c.mail); got != c.holds {
			t.Errorf("%s: %s is %v", c.name, c.test, got)
		}
	}
}

func TestABodyLeavesNothingForVariables(t *testing.T) {
	o := outcomeOf(t, "require [\"body\", \"variables\", \"fileinto\"];\nif allof (header :matches \"subject\" \"*of*\", body :raw :matches \"*xt*\") { fileinto \"x${1}\"; }")
	if got := done(o); got != "fileinto xMinutes" {
		t.Error(got)
	}
}

func TestTheBeginningOfALongBodyIsLookedAt(t *testing.T) {
	long := "Subject: x\r\n\r\nbegin" + strings.Repeat("0123456789abcdef\r\n", maxBody/18+100) + "end"
	for test, holds := range map[string]bool{`body :raw :contains "BEGIN"`: true, `body :raw :contains "end"`: false, `body :contains "f` + "\r\n" + `0"`: true} {
		if got := holdsFor(t, `"body"`, test, long); got != holds {
			t.Errorf("%s is %v", test, got)
		}
	}
}

func TestMistakesInABodyTestAreTold(t *testing.T) {
	for test, why := range map[string]string{
		`body`:                             "requires 1 positional arguments",
		`body :raw :text "x"`:              "':raw' stands there already",
		`body :content :contains "x" "y"`:  "takes a string list",
		`body :count "eq" "1"`:             "needs require \"relational\"",
		`body "x" "y"`:                     "requires 1 positional arguments",
		`body :last "x"`:                   "unknown tagged argument",
		`body :regex "x"`:                  "needs require \"regex\"",
		`body :comparator "i;unknown" "x"`: "unknown comparator",
	} {
		problems := mistakes(t, "require \"body\";\nif "+test+" { keep; }")
		if len(problems) != 1 || !strings.Contains(problems[0].Text, why) || problems[0].Line != 2 {
			t.Errorf("%s: %v", test, problems)
		}
	}
}
