package dkim_test

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/dkim"
	"postern/internal/mailauth/authres"
	"postern/internal/message"
	"postern/internal/testenv"
)

// TestDKIMSuite judges every message of the folders of examples. What is expected stands in a table where the folder has
// one, and follows from the name of the file by the rules in expectation and expectedField else.
func TestDKIMSuite(t *testing.T) {
	t.Run("rfc-examples", func(t *testing.T) { runExamples(t, testenv.Testdata(t, "dkim-rfc-examples")) })
	t.Run("mail-dkim", func(t *testing.T) { runMailDKIM(t, testenv.Testdata(t, "dkim-mail-dkim-a")) })
}

func runExamples(t *testing.T, dir string) {
	z := readZone(t, filepath.Join(dir, "dns.txt"))
	files := testenv.Files(t, dir, ".eml")
	for _, path := range files {
		name, _ := filepath.Rel(dir, path)
		t.Run(name, func(t *testing.T) {
			content := crlf(t, path)
			if strings.HasPrefix(name, "arh") {
				checkFields(t, name, content)
				return
			}
			checkExample(t, name, content, z)
		})
	}
	t.Logf("%d messages", len(files))
}

// readZone reads "name text" by line; "~~ text" is a failure of the DNS, NXDOMAIN no answer.
func readZone(t *testing.T, path string) zone {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zone{}
	for line := range strings.Lines(string(b)) {
		name, text, ok := strings.Cut(strings.TrimSpace(line), " ")
		text = strings.TrimSpace(text)
		switch {
		case !ok, strings.HasPrefix(name, "#"), text == "NXDOMAIN":
		case strings.HasPrefix(text, "~~"):
			z[strings.ToLower(name)] = []string{"~servfail"}
		default:
			z[strings.ToLower(name)] = []string{strings.Trim(text, `"`)}
		}
	}
	return z
}

// expectation is the result that each signature of an example must have.
func expectation(name string) dkim.Result {
	switch base := filepath.Base(name); {
	case strings.Contains(base, "modified"):
		return dkim.ResultFail // the text was changed after it was signed
	case strings.Contains(base, "missing_v"), strings.Contains(base, "key_algo_mismatch"):
		return dkim.ResultPermError
	case strings.HasPrefix(base, "flags_s-") && strings.Contains(base, "subdomain"):
		return dkim.ResultPermError // the key's t=s asks for the very domain (RFC 6376 3.6.1)
	case strings.HasPrefix(base, "added_header-"):
		return dkim.ResultPolicy // a second field is shown as if it were signed (RFC 6376 8.15)
	case strings.HasPrefix(base, "time-") && strings.Contains(base, "long_before"):
		return dkim.ResultPolicy // signed in the future of its receipt
	}
	return dkim.ResultPass
}

func checkExample(t *testing.T, name, content string, z zone) {
	h := message.ParseHeader([]byte(content))
	at := now
	if strings.HasPrefix(filepath.Base(name), "time-") {
		at = receivedAt(t, h)
	}
	original := strings.HasPrefix(name, "original")
	if original {
		at = dateOf(t, h.Get("Date")).Add(time.Hour)
	}
	list := verify(t, content, z, at)
	if want := h.Count("DKIM-Signature"); len(list) != want {
		t.Fatalf("%d verifications of %d signatures", len(list), want)
	}
	passed := 0
	for i, v := range list {
		want := expectation(name)
		if _, known := z[v.Selector+"._domainkey."+v.Domain]; original && !known {
			want = dkim.ResultPermError // of a real message not every key was kept
		}
		if v.Result != want || v.Result == dkim.ResultPolicy && strings.HasPrefix(filepath.Base(name), "added_") && !v.Intact {
			t.Errorf("signature %d: %s (%s), intact %v, want %s", i+1, v.Result, v.Reason, v.Intact, want)
		}
		if v.Result == dkim.ResultPass {
			passed++
		}
	}
	if original && passed == 0 {
		t.Error("no signature of a real message passes")
	}
}

// receivedAt is the time in the newest Received field.
func receivedAt(t *testing.T, h message.Header) time.Time {
	t.Helper()
	value := h.Get("Received")
	return dateOf(t, value[strings.LastIndexByte(value, ';')+1:])
}

func dateOf(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := message.ParseDate(strings.TrimSpace(s))
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return at
}

// checkFields reads the Authentication-Results fields of a message. In a file of that name the newest one has a parsing
// error; a field that begins with its first result has no authserv-id. All others can be read, with a dkim, spf or dmarc
// result, or none where that is said.
func checkFields(t *testing.T, name, content string) {
	fields := message.ParseHeader([]byte(content)).All("Authentication-Results")
	if len(fields) == 0 {
		t.Fatal("no Authentication-Results field")
	}
	for i, field := range fields {
		raw, _ := strings.CutPrefix(string(field.Raw), field.Name+":")
		f, err := authres.Parse(raw)
		head, _, _ := strings.Cut(raw, ";")
		broken := strings.Contains(name, "parsing_error") && i == 0 || strings.ContainsAny(head, "=/")
		if broken != (err != nil) {
			t.Errorf("field %d: broken %v, error %v: %q", i+1, broken, err, raw)
		}
		if err != nil {
			continue
		}
		if f.ID == "" || len(f.Results) != strings.Count(strings.TrimRight(raw, "; \r\n"), ";") && !strings.Contains(raw, "none") {
			t.Errorf("field %d: %+v from %q", i+1, f, raw)
		}
		again, err := authres.Parse(string(f.Append(nil, 24)))
		if err != nil || !bytes.Equal(again.Append(nil, 24), f.Append(nil, 24)) {
			t.Errorf("field %d changes when it is written: %+v, %v", i+1, again, err)
		}
		for _, r := range f.Results {
			if !strings.Contains(raw, r.Method+"="+r.Value) || !strings.Contains(raw, r.Get("header", "d")) || !strings.Contains(raw, r.Reason) {
				t.Errorf("field %d: %+v is not in %q", i+1, r, raw)
			}
		}
	}
}

// runMailDKIM judges every message of Mail::DKIM's corpus. Where that says pass, so do we, or we refuse by policy and know that
// the signature is intact, unless it is one that we do not try (see isUntried). What fails there is not intact here; what is
// invalid there does not pass. DomainKeys signatures are not looked at.
func runMailDKIM(t *testing.T, dir string) {
	z := readZone(t, filepath.Join(dir, "FAKE_DNS.dat"))
	expected := readExpected(t, filepath.Join(dir, "expected.txt"))
	for _, path := range testenv.Files(t, filepath.Join(dir, "corpus"), "") {
		name := filepath.Base(path)
		want := cmp.Or(expected[name], byName(name))
		delete(expected, name)
		t.Run(name, func(t *testing.T) {
			content := crlf(t, path)
			list := verify(t, content, z, now)
			fields := message.ParseHeader([]byte(content)).All("DKIM-Signature")
			if len(list) != min(len(fields), dkim.MaxSignatures) {
				t.Fatalf("%d verifications of %d signatures", len(list), len(fields))
			}
			if strings.HasPrefix(name, "dk_") {
				return
			}
			if problem := judgedAs(list, fields, want); problem != "" {
				t.Error(problem)
			}
			for _, v := range list {
				t.Logf("%s: %s (%s), intact %v", want, v.Result, v.Reason, v.Intact)
			}
		})
	}
	for name := range expected {
		t.Errorf("the corpus has no %s", name)
	}
}

// readExpected reads "file result" by line.
func readExpected(t *testing.T, path string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	expected := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if words := strings.Fields(line); len(words) == 2 {
			expected[words[0]] = words[1]
		} else if len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			t.Errorf("%s: %q cannot be read", path, line)
		}
	}
	return expected
}

// byName is what the name of a message says that no table names.
func byName(name string) string {
	kind, _, _ := strings.Cut(name, "_")
	return map[string]string{"good": "pass", "goodkey": "pass", "mine": "pass", "bad": "fail", "badkey": "invalid", "ignore": "invalid"}[kind]
}

func judgedAs(list []dkim.Verification, fields []message.Field, want string) string {
	var passed, intact, untried bool
	for i, v := range list {
		passed = passed || v.Result == dkim.ResultPass
		intact = intact || v.Intact
		untried = untried || v.Result != dkim.ResultFail && isUntried(fields[i].Value())
	}
	switch want {
	case "pass":
		if !passed && !intact && !untried {
			return "neither a pass nor intact"
		}
	case "fail":
		if passed || intact || len(list) == 0 {
			return "a pass, or intact, or no signature"
		}
	case "invalid", "none":
		if passed {
			return "a pass"
		}
	default:
		return "nothing known is expected: " + strconv.Quote(want)
	}
	return ""
}

// isUntried reports whether a signature is of a kind that we do not try: one with l=, or one as drafts before RFC 4871 had them,
// without a hash of the body, with a canonicalization that is no more, or with q=dns.
func isUntried(signature string) bool {
	tags := tagsOf(signature)
	_, short := tags["l"]
	return short || tags["bh"] == "" || tags["c"] == "nowsp" || tags["q"] == "dns" && tags["v"] == ""
}

func crlf(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n", "\r\n")
}
