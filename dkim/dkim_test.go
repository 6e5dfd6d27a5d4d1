package dkim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"postern/dkim"
	"postern/internal/testenv"
)

var now = time.Unix(1764000000, 0)

const sample = "Received: from a by b; Mon, 23 Nov 2026 10:00:00 +0000\r\n" +
	"From: Alice <alice@example.test>\r\nTo: bob@example.org,\r\n\t\"C  D\" <cd@example.org>\r\nSubject:  A  folded\r\n   subject \r\n" +
	"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.test>\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\nReferences: <0@example.test>\r\n\r\nHello,  \r\n\r\n  world \t x\r\n.\r\n\r\n\r\n"

// zone is a DNS of texts.
type zone map[string][]string

func (z zone) lookup(_ context.Context, name string) ([]string, error) {
	texts, ok := z[strings.ToLower(name)]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	if len(texts) == 1 && texts[0] == "~servfail" {
		return nil, &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	}
	return texts, nil
}

func (z zone) plain(name string) ([]string, error) { return z.lookup(context.Background(), name) }

func newKeys(t testing.TB) ([]*dkim.Key, zone) {
	t.Helper()
	z := zone{}
	var keys []*dkim.Key
	for _, a := range []dkim.Algorithm{dkim.RSA, dkim.Ed25519} {
		k, err := dkim.GenerateKey(a, "Example.test", "20261123-"+string(a), now)
		if err != nil {
			t.Fatal(err)
		}
		text, err := k.Record()
		if err != nil {
			t.Fatal(err)
		}
		z[k.RecordName()] = []string{text}
		keys = append(keys, k)
	}
	return keys, z
}

func sign(t testing.TB, keys []*dkim.Key, prefix, content string) string {
	t.Helper()
	fields, err := dkim.Sign(strings.NewReader(content), int64(len(content)), []byte(prefix), keys, now)
	if err != nil {
		t.Fatalf("%v in %.200q", err, content)
	}
	return string(fields) + prefix + content
}

func verify(t testing.TB, message string, z zone, at time.Time) []dkim.Verification {
	t.Helper()
	list, err := dkim.Verify(t.Context(), strings.NewReader(message), int64(len(message)), z.lookup, at)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func mustPass(t testing.TB, message string, z zone) {
	t.Helper()
	list := verify(t, message, z, now)
	if len(list) != 2 {
		t.Fatalf("%d signatures", len(list))
	}
	for _, v := range list {
		if v.Result != dkim.ResultPass {
			t.Errorf("%s: %s (%s) in %.300q", v.Algorithm, v.Result, v.Reason, message)
		}
	}
}

func TestBothSignaturesOfAMessageVerify(t *testing.T) {
	keys, z := newKeys(t)
	message := sign(t, keys, "", sample)
	mustPass(t, message, z)
	list := verify(t, message, z, now)
	if v := list[0]; v.Domain != "example.test" || v.Selector != "20261123-rsa" || v.Identifier != "@example.test" ||
		v.Algorithm != "rsa-sha256" || v.KeyBits != 2048 || len(v.SignaturePrefix) != 8 || !v.Time.Equal(now) {
		t.Errorf("%+v", v)
	}
	if list[1].Algorithm != "ed25519-sha256" || list[1].KeyBits != 256 {
		t.Errorf("%+v", list[1])
	}
}

func TestFieldsOfOurOwnBeforeTheMessageAreCovered(t *testing.T) {
	keys, z := newKeys(t)
	content := strings.Replace(sample, "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n", "", 1)
	message := sign(t, keys, "Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n", content)
	mustPass(t, message, z)
	for _, v := range verify(t, strings.Replace(message, "Tue, 24", "Wed, 25", 1), z, now) {
		if v.Result != dkim.ResultFail {
			t.Errorf("a changed Date: %+v", v)
		}
	}
}

func TestTheLowestFieldsAreCoveredInHeadersOfFewAndOfManyFields(t *testing.T) {
	keys, z := newKeys(t)
	for _, more := range []int{0, 30, 100} {
		// A relay may put fields before the message, and no other program may take them for those that were signed.
		content := strings.Repeat("Received: by a relay\r\nX-Other: x\r\n", more) + "Reply-To: one@example.test\r\nreply-to: two@example.test\r\n" + sample
		message := sign(t, keys, "", content)
		mustPass(t, message, z)
		mustPass(t, strings.Repeat("Received: by another\r\n", more)+message, z)
		for name, changed := range map[string]string{
			"added": "To: mallory@example.test\r\n" + message, "another": strings.Replace(message, "two@example.test", "three@example.test", 1),
			"turned round": strings.Replace(message, "Reply-To: one@example.test\r\nreply-to: two@example.test\r\n", "Reply-To: two@example.test\r\nreply-to: one@example.test\r\n", 1),
		} {
			for _, v := range verify(t, changed, z, now) {
				if v.Result == dkim.ResultPass {
					t.Errorf("%d fields, %s: %+v", more, name, v)
				}
			}
		}
	}
}

func TestNoLineOfASignatureIsLong(t *testing.T) {
	keys, _ := newKeys(t)
	message := sign(t, keys, "", strings.Repeat("References: <a@b>\r\n", 50)+sample)
	signature, _, _ := strings.Cut(message, "References: ")
	for line := range strings.Lines(signature) {
		if len(line) > 80 {
			t.Errorf("%d bytes: %q", len(line), line)
		}
	}
	if strings.Contains(signature, "l=") && strings.Contains(signature, " l=") {
		t.Error("l= is never given")
	}
}

// What a reader sees cannot be changed, removed or added without breaking the signature; what the way adds does not
// break it.
func TestChangesBreakTheSignatureAndTheWayDoesNot(t *testing.T) {
	keys, z := newKeys(t)
	message := sign(t, keys, "", sample)
	for _, name := range []string{"From", "To", "Cc", "Subject", "Date", "Reply-To", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"} {
		for place, changed := range map[string]string{
			"before": name + ": x\r\n" + message,
			"behind": strings.Replace(message, "\r\n\r\n", "\r\n"+name+": x\r\n\r\n", 1),
		} {
			for _, v := range verify(t, changed, z, now) {
				if v.Result != dkim.ResultFail {
					t.Errorf("a second %s %s the first: %s", name, place, v.Result)
				}
			}
		}
	}
	for old, new := range map[string]string{"alice@": "mallory@", "world": "worlds", "folded": "molded", "Hello": " Hello", "References: <0": "References: <9"} {
		for _, v := range verify(t, strings.Replace(message, old, new, 1), z, now) {
			if v.Result != dkim.ResultFail {
				t.Errorf("%q for %q: %s", new, old, v.Result)
			}
		}
	}
	mustPass(t, "Received: from x by y; now\r\nX-Spam-Score: 1\r\n"+message, z)
	mustPass(t, message+"\r\n\r\n", z)
	mustPass(t, strings.Replace(message, "Hello,  \r\n", "Hello, \t\r\n", 1), z)
	mustPass(t, strings.Replace(message, "Subject:  A  folded\r\n   subject \r\n", "subject: A folded subject\r\n", 1), z)
}

func TestWhatWouldNotArriveAsItIsIsNotSigned(t *testing.T) {
	keys, _ := newKeys(t)
	for name, bad := range map[string]string{
		"bare LF in the body": sample + "a\nb\r\n", "bare CR in the body": sample + "a\rb\r\n", "bare CR at the end": sample + "\r",
		"bare LF in the header": strings.Replace(sample, "\r\n", "\n", 1), "bare CR in the header": strings.Replace(sample, "Alice", "Al\rice", 1),
		"no From": strings.Replace(sample, "From:", "Xrom:", 1), "an endless header": "X: " + strings.Repeat("x", 2<<20) + "\r\n" + sample,
		"many fields": strings.Repeat("To: a@b.test\r\n", 300) + sample,
	} {
		if _, err := dkim.Sign(strings.NewReader(bad), int64(len(bad)), nil, keys, now); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	if _, err := dkim.Sign(strings.NewReader(sample), int64(len(sample)), nil, nil, now); err == nil {
		t.Error("without a key")
	}
}

// bodies that canonicalization may stumble over.
func bodies() []string {
	list := []string{"", "\r\n", "\r\n\r\n", " \r\n", " \t\r\n \r\n", "a", "a\r\n", "a \r\n", " a\r\n", "a\r\n\r\n", "a\r\n \r\n", "a\r\n\r\nb", "a  b\tc \t d",
		"a\r\n.\r\nb\r\n", strings.Repeat("x", 100000), strings.Repeat("x y\t\r\n", 20000), strings.Repeat("\r\n", 50000) + "x", strings.Repeat(" ", 70000) + "x\r\n",
		"\x80\xff\r\n", "\x0b\x0c \x0b\r\n"}
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{" ", "\t", "\r\n", "a", "bc", "\r\n\r\n", "  ", "é"}
	for range 150 {
		var b strings.Builder
		for range r.IntN(40) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		list = append(list, b.String())
	}
	return list
}

func TestGoMsgauthVerifiesWhatWeSign(t *testing.T) {
	keys, z := newKeys(t)
	check := func(name, message string) {
		list, err := msgauth.VerifyWithOptions(strings.NewReader(message), &msgauth.VerifyOptions{LookupTXT: z.plain})
		if err != nil || len(list) != 2 {
			t.Fatalf("%s: %d verifications, %v", name, len(list), err)
		}
		for _, v := range list {
			if v.Err != nil {
				t.Errorf("%s: %v in %.300q", name, v.Err, message)
			}
		}
		mustPass(t, message, z)
	}
	head, _, _ := strings.Cut(sample, "\r\n\r\n")
	for i, body := range bodies() {
		check(fmt.Sprintf("body %d", i), sign(t, keys, "", head+"\r\n\r\n"+body))
	}
	for name, content := range corpus(t, 400) {
		check(name, sign(t, keys, "X-Added: by us\r\n", content))
	}
}

// corpus gives up to n messages of the test data, made fit for sending.
func corpus(t testing.TB, n int) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, folder := range []string{"mime-mail-parser", "mime-python-email", "mime-mimekit", "bounce-sisimai", "corpus-spamassassin-2002-2003"} {
		left := n / 4
		_ = filepath.WalkDir(testenv.Testdata(t, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || left == 0 {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil || len(b) > 1<<20 || !bytes.Contains(b, []byte("\n\n")) && !bytes.Contains(b, []byte("\r\n\r\n")) {
				return err
			}
			text := strings.NewReplacer("\r\n", "\r\n", "\n", "\r\n", "\r", "\r\n", "\x00", "").Replace(string(b))
			head, _, _ := strings.Cut(text, "\r\n\r\n")
			if !strings.Contains("\r\n"+strings.ToLower(head), "\r\nfrom:") || strings.Contains(strings.ToLower(head), "dkim-signature") || !wellFormed(head) {
				return nil
			}
			all[folder+"/"+filepath.Base(path)] = text
			left--
			return nil
		})
	}
	if len(all) < 50 {
		t.Fatalf("only %d messages", len(all))
	}
	return all
}

// wellFormed: every line is a field or continues one; verifiers differ in where a broken header ends.
func wellFormed(head string) bool {
	for i, line := range strings.Split(head, "\r\n") {
		if line[:1] == " " || line[:1] == "\t" {
			if i == 0 || strings.TrimSpace(line) == "" {
				return false
			}
			continue
		}
		name, _, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return false
		}
	}
	return true
}

const pythonVerifier = `
import sys, json, struct, dkim
zone = json.load(open(sys.argv[1]))
def txt(name, timeout=5):
    return zone.get(name.decode().rstrip('.').lower(), '').encode()
bad = 0
for path in sys.argv[2:]:
    d = dkim.DKIM(open(path, 'rb').read())
    for i in range(2):
        try:
            ok = d.verify(idx=i, dnsfunc=txt)
        except Exception as e:
            ok = repr(e)
        if ok is not True:
            bad += 1
            print(path, i, ok)
print('bad', bad)
`

func TestPythonDkimVerifiesWhatWeSign(t *testing.T) {
	python := testenv.Need(t, "/usr/bin/python3")[0]
	if out, err := exec.Command(python, "-c", "import dkim, nacl").CombinedOutput(); err != nil {
		testenv.Missing(t, "python3-dkim (and python3-nacl): %s", out)
	}
	keys, z := newKeys(t)
	dir := t.TempDir()
	flat := map[string]string{}
	for name, texts := range z {
		flat[name] = texts[0]
	}
	zoneFile, err := json.Marshal(flat)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := []string{"-c", pythonVerifier, write("zone", string(zoneFile))}
	head, _, _ := strings.Cut(sample, "\r\n\r\n")
	for i, body := range bodies() {
		if len(body) > 20000 {
			continue // its regular expressions take quadratic time
		}
		if !strings.HasSuffix(body, "\r\n") {
			body += "\r\n" // it takes white space at a line's end for text where the end is missing; sending adds it
		}
		args = append(args, write(fmt.Sprintf("body%d", i), sign(t, keys, "", head+"\r\n\r\n"+body)))
	}
	n := 0
	for _, content := range corpus(t, 120) {
		n++
		args = append(args, write(fmt.Sprintf("corpus%d", n), sign(t, keys, "", content)))
	}
	out, err := exec.Command(python, args...).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "bad 0\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestWhatIsWrongWithASignatureIsSaid(t *testing.T) {
	keys, z := newKeys(t)
	good := sign(t, keys[1:], "", sample)
	edit := func(old, new string) string {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the signature:\n%s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	record := z["20261123-ed25519._domainkey.example.test"][0]
	for _, c := range []struct {
		name, message, record string
		want                  dkim.Result
	}{
		{"as it is", good, record, dkim.ResultPass},
		{"l=", edit("v=1;", "v=1; l=5;"), record, dkim.ResultPolicy},
		{"SHA-1", edit("a=ed25519-sha256", "a=rsa-sha1"), record, dkim.ResultPolicy},
		{"an unknown algorithm", edit("a=ed25519-sha256", "a=rot13-sha256"), record, dkim.ResultPolicy},
		{"another algorithm than the key's", edit("a=ed25519-sha256", "a=rsa-sha256"), record, dkim.ResultPermError},
		{"expired", edit("v=1;", fmt.Sprintf("v=1; x=%d;", now.Unix()+100)), record, dkim.ResultPolicy},
		{"expires before it is made", edit("v=1;", "v=1; x=5;"), record, dkim.ResultPermError},
		{"of the future", edit(fmt.Sprintf("t=%d", now.Unix()), fmt.Sprintf("t=%d", now.Unix()+90000)), record, dkim.ResultPolicy},
		{"a tag twice", edit("v=1;", "v=1; d=example.test;"), record, dkim.ResultPermError},
		{"no From", edit("h=From:From", "h=Frim:Frim"), record, dkim.ResultPermError},
		{"a foreign identifier", edit("v=1;", "v=1; i=a@example.org;"), record, dkim.ResultPermError},
		{"an identifier that ends alike", edit("v=1;", "v=1; i=a@badexample.test;"), record, dkim.ResultPermError},
		{"no domain", edit("d=example.test", "d=test"), record, dkim.ResultPermError},
		{"another way to the key", edit("v=1;", "v=1; q=http;"), record, dkim.ResultPermError},
		{"a number too big", edit("v=1;", "v=1; x=99999999999999999999;"), record, dkim.ResultPermError},
		{"no hash", edit("bh=", "bh=*;xx="), record, dkim.ResultPermError},
		{"unknown canonicalization", edit("relaxed/relaxed", "relaxed/strict"), record, dkim.ResultPermError},
		{"no key", good, "", dkim.ResultPermError},
		{"the DNS fails", good, "~servfail", dkim.ResultTempError},
		{"revoked", good, "v=DKIM1; k=ed25519; p=", dkim.ResultPermError},
		{"not for mail", good, record + "; s=tlsrpt", dkim.ResultPermError},
		{"not for SHA-256", good, record + "; h=sha1", dkim.ResultPermError},
		{"v= not first", good, "k=ed25519; v=DKIM1; p=" + record[strings.Index(record, "p=")+2:], dkim.ResultPermError},
		{"without v=", good, strings.TrimPrefix(record, "v=DKIM1; "), dkim.ResultPass},
		{"a key that is garbage", good, "v=DKIM1; k=ed25519; p=AAAA", dkim.ResultPermError},
		{"for subdomains and strict", edit("v=1;", "v=1; i=a@sub.example.test;"), record + "; t=s", dkim.ResultPermError},
	} {
		at := now
		if c.name == "expired" {
			at = now.Add(time.Hour)
		}
		z := zone{}
		if c.record != "" {
			z["20261123-ed25519._domainkey.example.test"] = []string{c.record}
		}
		list := verify(t, c.message, z, at)
		if len(list) != 1 || list[0].Result != c.want || (c.want != dkim.ResultPass && list[0].Reason == "") {
			t.Errorf("%s: %+v, want %s", c.name, list, c.want)
		}
	}
}

func TestTestingModeIsSaid(t *testing.T) {
	keys, z := newKeys(t)
	for name := range z {
		z[name][0] += "; t=y:s"
	}
	for _, v := range verify(t, sign(t, keys, "", sample), z, now) {
		if v.Result != dkim.ResultPass || !v.Testing {
			t.Errorf("%+v", v)
		}
	}
}

func TestAtMostTenSignaturesAreVerified(t *testing.T) {
	keys, z := newKeys(t)
	message := sign(t, keys, "", sample)
	signature := message[:len(message)-len(sample)]
	lookups := 0
	gate := make(chan struct{}, 1)
	counting := func(ctx context.Context, name string) ([]string, error) {
		gate <- struct{}{}
		lookups++
		<-gate
		return z.lookup(ctx, name)
	}
	many := strings.Repeat(signature, 500) + sample
	list, err := dkim.Verify(t.Context(), strings.NewReader(many), int64(len(many)), counting, now)
	if err != nil || len(list) != dkim.MaxSignatures || lookups > dkim.MaxSignatures {
		t.Errorf("%d results, %d lookups, %v", len(list), lookups, err)
	}
}

func TestAMessageWithoutSignatureGivesNone(t *testing.T) {
	for _, m := range []string{sample, "", "\r\n", "no header at all", "From: x"} {
		if list := verify(t, m, zone{}, now); len(list) != 0 {
			t.Errorf("%q: %+v", m, list)
		}
	}
}

func TestReadingFailuresAreNoResults(t *testing.T) {
	keys, z := newKeys(t)
	message := sign(t, keys, "", sample)
	broken := errors.New("disk on fire")
	if _, err := dkim.Verify(t.Context(), failing{message, broken}, int64(len(message)+10), z.lookup, now); !errors.Is(err, broken) {
		t.Errorf("verifying: %v", err)
	}
	if _, err := dkim.Sign(failing{sample, broken}, int64(len(sample)+10), nil, keys, now); !errors.Is(err, broken) {
		t.Errorf("signing: %v", err)
	}
	big := "X: " + strings.Repeat("x", 2<<20)
	if _, err := dkim.Verify(t.Context(), strings.NewReader(big), int64(len(big)), z.lookup, now); !errors.Is(err, dkim.ErrHeaderTooBig) {
		t.Errorf("a header of 2 MiB: %v", err)
	}
}

type failing struct {
	text string
	err  error
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(f.text)) {
		return 0, f.err
	}
	n := copy(p, f.text[off:])
	if n < len(p) {
		return n, f.err
	}
	return n, nil
}

func TestTheRecordFitsIntoStringsOfTheDNS(t *testing.T) {
	keys, z := newKeys(t)
	for _, k := range keys {
		list, err := k.RecordStrings()
		if err != nil || strings.Join(list, "") != z[k.RecordName()][0] {
			t.Errorf("%v, %v", list, err)
		}
		for _, s := range list {
			if len(s) > 255 {
				t.Errorf("%d bytes", len(s))
			}
		}
		line, err := k.ZoneLine()
		if err != nil || !strings.HasPrefix(line, k.RecordName()+`. IN TXT "v=DKIM1; k=`) {
			t.Errorf("%q, %v", line, err)
		}
		if text := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); strings.Contains(text, "private") || len(text) > 400 {
			t.Errorf("a printed key shows too much: %s", text)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	keys, _ := newKeys(b)
	content := sample + strings.Repeat("Some words on a line, as people write them.\r\n", 90)
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dkim.Sign(strings.NewReader(content), int64(len(content)), nil, keys, now); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTheLargestHeaderThatIsTakenCanBeVerified(t *testing.T) {
	const largest = 1 << 20 // as package message has it too
	head := "DKIM-Signature: v=2\r\nFrom: a@example.com\r\nX: "
	for size, want := range map[int]error{largest: nil, largest + 3: dkim.ErrHeaderTooBig} {
		text := head + strings.Repeat("x", size-len(head)-2) + "\r\n\r\nHello.\r\n"
		_, err := dkim.Verify(t.Context(), strings.NewReader(text), int64(len(text)), zone{}.lookup, now)
		if !errors.Is(err, want) {
			t.Errorf("a header of %d bytes: %v", size, err)
		}
	}
}

func TestTheKeyOfANameInULabelsIsLookedUpInALabels(t *testing.T) {
	text := "DKIM-Signature: v=1; a=rsa-sha256; d=bücher.example; s=schlüssel; h=from; bh=AAAA; b=AAAA\r\nFrom: a@bücher.example\r\n\r\nHello.\r\n"
	var asked string
	list, err := dkim.Verify(t.Context(), strings.NewReader(text), int64(len(text)), func(ctx context.Context, name string) ([]string, error) {
		asked = name
		return zone{}.lookup(ctx, name)
	}, now)
	if want := "xn--schlssel-95a._domainkey.xn--bcher-kva.example"; err != nil || len(list) != 1 || asked != want {
		t.Errorf("%v, %+v, asked for %s and not %s", err, list, asked, want)
	}
}

func TestTheIdentifierMayHaveAnotherSpellingOfTheDomain(t *testing.T) {
	for signature, want := range map[string]string{
		"d=xn--bcher-kva.example; i=a@b\u00fccher.example":              "no key in the DNS",
		"d=b\u00fccher.example; i=@XN--BCHER-KVA.example":               "no key in the DNS",
		"d=xn--bcher-kva.example; i=a@mail.B\u00dcCHER.example":         "no key in the DNS",
		"d=xn--bcher-kva.example; i=a@b\u00fccher.example.evil.example": "the identifier is not of the signing domain",
		"d=xn--bcher-kva.example; i=a@evilb\u00fccher.example":          "the identifier is not of the signing domain",
	} {
		text := "DKIM-Signature: v=1; a=rsa-sha256; s=s; h=from; bh=AAAA; b=AAAA; " + signature + "\r\nFrom: a@b\u00fccher.example\r\n\r\nHello.\r\n"
		if list := verify(t, text, zone{}, now); len(list) != 1 || list[0].Reason != want {
			t.Errorf("%s: %+v, want %s", signature, list, want)
		}
	}
}
