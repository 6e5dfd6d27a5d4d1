package scanner

import (
	"fmt"
	"strings"
	"testing"
)

func TestASettingNamesAScanner(t *testing.T) {
	for _, text := range []string{
		"spamd:127.0.0.1:783", "spamd:[::1]:783", "spamd:localhost:783", "spamd:/run/spamd.sock",
		"rspamd:http://127.0.0.1:11333", "rspamd:https://scan.example.org", "rspamd:http://[::1]:11333",
		"clamd:127.0.0.1:3310", "clamd:/run/clamav/clamd.ctl",
	} {
		s, err := Parse(text)
		if err != nil || fmt.Sprint(s) != text || s.Name() != strings.SplitN(text, ":", 2)[0] {
			t.Errorf("%s: %v, %v", text, s, err)
		}
	}
	if s, err := Parse(" rspamd:http://127.0.0.1:11333/ "); err != nil || fmt.Sprint(s) != "rspamd:http://127.0.0.1:11333" {
		t.Errorf("%v, %v", s, err)
	}
}

func TestAMistakenSettingIsToldHowToBeWritten(t *testing.T) {
	for text, fix := range map[string]string{
		"":                                   "write one such as spamd:127.0.0.1:783",
		"spamd":                              "write one such as spamd:127.0.0.1:783",
		"spamd:":                             "write one such as",
		"spamassassin:127.0.0.1:1":           "write one such as",
		"spamd:127.0.0.1":                    "such as spamd:127.0.0.1:783",
		"spamd:783":                          "such as spamd:127.0.0.1:783",
		"spamd:127.0.0.1:0":                  "such as spamd:127.0.0.1:783",
		"spamd:127.0.0.1:99999":              "such as spamd:127.0.0.1:783",
		"spamd:a b:783":                      "such as spamd:127.0.0.1:783",
		"clamd:relative/path":                "or clamd:/run/clamav/clamd.ctl",
		"clamd:/" + strings.Repeat("x", 120): "a shorter one such as /run/clamav/clamd.ctl",
		"rspamd:127.0.0.1:11333":             "such as rspamd:http://127.0.0.1:11333",
		"rspamd:ftp://127.0.0.1":             "such as rspamd:http://127.0.0.1:11333",
		"rspamd:http://127.0.0.1/x":          "such as rspamd:http://127.0.0.1:11333",
		"rspamd:http://a:secret@127.0.0.1":   "set the password by itself",
	} {
		s, err := Parse(text)
		if err == nil || s != nil {
			t.Errorf("%q is %v", text, s)
			continue
		}
		if !strings.Contains(err.Error(), fix) || !strings.Contains(err.Error(), "; ") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"spamd:127.0.0.1:783", "clamd:/run/x", "rspamd:http://[::1%25eth0]:1", "rspamd:http://127.0.0.1:11333/?#", "spamd:[::1]:x", "spamd:\x00:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(fmt.Sprint(s))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(s) {
			t.Fatalf("%q is shown as %q, which is %v, %v", text, s, again, err)
		}
	})
}
