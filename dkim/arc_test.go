package dkim_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"crypto/rand"

	"postern/dkim"
	"postern/internal/message"
	"postern/internal/testenv"
)

func seal(t testing.TB, content string, s dkim.Sealing) string {
	t.Helper()
	s.Time = now
	if s.Results == "" {
		s.Results = "mx.example.test; dmarc=pass\r\n\theader.from=example.test"
	}
	set, err := dkim.Seal(strings.NewReader(content), int64(len(content)), s)
	if err != nil {
		t.Fatal(err)
	}
	return string(set) + content
}

func TestAChainGrowsSetBySet(t *testing.T) {
	keys, z := newKeys(t)
	content := sign(t, keys, "", sample)
	for n := 1; n <= 4; n++ {
		arrived := verifyARC(t, content, z)
		content = seal(t, content, dkim.Sealing{Key: keys[n%2], Arrived: arrived}) // RSA and Ed25519 by turns
		got := verifyARC(t, content, z)
		if got.Result != dkim.ResultPass || len(got.Sets) != n {
			t.Fatalf("%d sets: %s (%s)", len(got.Sets), got.Result, got.Reason)
		}
		last := got.Sets[n-1]
		want := "pass"
		if n == 1 {
			want = "none"
		}
		if last.Instance != n || last.Domain != "example.test" || last.Status != want || !strings.HasPrefix(last.Results, "mx.example.test; dmarc=pass") {
			t.Errorf("%+v", last)
		}
	}
	for _, v := range verify(t, content, z, now) {
		if v.Result != dkim.ResultPass {
			t.Errorf("the signature under the seals: %s (%s)", v.Result, v.Reason)
		}
	}
	for i, field := range strings.Split(content, "\r\n") {
		if len(field) > 100 {
			t.Errorf("line %d has %d bytes", i, len(field))
		}
	}
}

func TestWhatIsChangedBreaksTheChain(t *testing.T) {
	keys, z := newKeys(t)
	once := seal(t, sample, dkim.Sealing{Key: keys[0], Arrived: dkim.Chain{Result: dkim.ResultNone}})
	twice := seal(t, once, dkim.Sealing{Key: keys[0], Arrived: verifyARC(t, once, z)})
	for name, edit := range map[string]func(string) string{
		"the body":                 func(s string) string { return strings.Replace(s, "world", "word", 1) },
		"the subject":              func(s string) string { return strings.Replace(s, "folded", "changed", 1) },
		"an old result":            func(s string) string { i := strings.LastIndex(s, "dmarc=pass"); return s[:i] + "dmarc=fail" + s[i+10:] },
		"the new result":           func(s string) string { return strings.Replace(s, "dmarc=pass", "dmarc=none", 1) },
		"the new status":           func(s string) string { return strings.Replace(s, "cv=pass", "cv=none", 1) },
		"the old set is gone":      func(s string) string { return strings.Replace(s, once[:len(once)-len(sample)], "", 1) },
		"an instance beyond 50":    func(s string) string { return strings.Replace(s, "i=2", "i=51", 1) },
		"an instance of no number": func(s string) string { return strings.Replace(s, "i=2", "i=+2", 1) },
		"a field twice":            func(s string) string { return s[:strings.Index(s, "ARC-Message")] + s },
	} {
		changed := edit(twice)
		if changed == twice {
			t.Fatalf("%s: nothing changed", name)
		}
		if got := verifyARC(t, changed, z); got.Result != dkim.ResultFail || got.Reason == "" {
			t.Errorf("%s: %s (%s)", name, got.Result, got.Reason)
		}
	}
}

func TestAFieldThatWasPutBeforeASignedOneBreaksTheChain(t *testing.T) {
	keys, z := newKeys(t)
	content := seal(t, sample, dkim.Sealing{Key: keys[0], Arrived: dkim.Chain{Result: dkim.ResultNone}, Headers: []string{"From", "Subject", "Content-Type"}})
	for added, want := range map[string]dkim.Result{
		"": dkim.ResultPass, "Received: from c by d\r\n": dkim.ResultPass,
		"Subject: Your account\r\n": dkim.ResultFail, "Content-Type: text/html\r\n": dkim.ResultFail,
	} {
		if got := verifyARC(t, added+content, z); got.Result != want {
			t.Errorf("%q: %s (%s)", added, got.Result, got.Reason)
		}
	}
}

func TestAChainThatFailedIsSealedAsFailedAndThenNoMore(t *testing.T) {
	keys, z := newKeys(t)
	once := seal(t, sample, dkim.Sealing{Key: keys[0], Arrived: dkim.Chain{Result: dkim.ResultNone}})
	broken := strings.Replace(once, "world", "word", 1)
	failed := seal(t, broken, dkim.Sealing{Key: keys[0], Arrived: verifyARC(t, broken, z)})
	got := verifyARC(t, failed, z)
	if got.Result != dkim.ResultFail || len(got.Sets) != 2 || got.Sets[1].Status != "fail" {
		t.Errorf("%+v", got)
	}
	for name, s := range map[string]struct {
		content string
		arrived dkim.Chain
	}{
		"sealed as failed":   {failed, got},
		"keys not to be had": {once, dkim.Chain{Result: dkim.ResultTempError}},
		"no place for more":  {"ARC-Seal: i=50; a=b\r\n" + sample, dkim.Chain{Result: dkim.ResultFail}},
	} {
		_, err := dkim.Seal(strings.NewReader(s.content), int64(len(s.content)), dkim.Sealing{Key: keys[0], Arrived: s.arrived, Results: "a; none"})
		if !errors.Is(err, dkim.ErrNoSeal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := dkim.Seal(strings.NewReader(sample), int64(len(sample)), dkim.Sealing{Key: keys[0], Arrived: dkim.Chain{Result: dkim.ResultNone}, Results: "a; none\r\nX: y"}); !errors.Is(err, dkim.ErrBareNewline) {
		t.Errorf("results that end the field: %v", err)
	}
}

func TestAKeyThatCannotBeAskedForLeavesTheChainOpen(t *testing.T) {
	keys, z := newKeys(t)
	once := seal(t, sample, dkim.Sealing{Key: keys[0], Arrived: dkim.Chain{Result: dkim.ResultNone}})
	z[keys[0].RecordName()] = []string{"~servfail"}
	if got := verifyARC(t, once, z); got.Result != dkim.ResultTempError {
		t.Errorf("%s (%s)", got.Result, got.Reason)
	}
	delete(z, keys[0].RecordName())
	if got := verifyARC(t, once, z); got.Result != dkim.ResultFail {
		t.Errorf("%s (%s)", got.Result, got.Reason)
	}
}

const pythonARC = `
import dkim, json, sys
zone = json.load(open(sys.argv[1]))
def txt(name, timeout=5):
    return zone.get(name.decode().rstrip('.').lower(), '').encode() or None
mode = sys.argv[2]
if mode == 'verify':
    for path in sys.argv[3:]:
        cv, results, reason = dkim.arc_verify(open(path, 'rb').read(), dnsfunc=txt)
        print((cv or b'fail').decode(), reason) # None: it ended as failed
else:
    message, key = open(sys.argv[3], 'rb').read(), open(sys.argv[4], 'rb').read()
    lines = dkim.arc_sign(message, b'p', b'peer.test', key, b'peer.test', timestamp='1764000000')
    sys.stdout.buffer.write(b''.join(lines))
`

// TestPythonDkimAndWeVerifyEachOthersChains seals with one and verifies with the other, from none to four sets.
func TestPythonDkimAndWeVerifyEachOthersChains(t *testing.T) {
	python := testenv.Need(t, "/usr/bin/python3")[0]
	if out, err := exec.Command(python, "-c", "import dkim, authres").CombinedOutput(); err != nil {
		testenv.Missing(t, "python3-dkim (and python3-authres): %s", out)
	}
	keys, z := newKeys(t)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	record, err := dkim.KeyOf("peer.test", "p", private).Record()
	if err != nil {
		t.Fatal(err)
	}
	z["p._domainkey.peer.test"] = []string{record}
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flat := map[string]string{}
	for name, texts := range z {
		flat[name] = texts[0]
	}
	zoneJSON, _ := json.Marshal(flat)
	zoneFile := write("zone", zoneJSON)
	keyFile := write("key", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}))
	run := func(args ...string) string {
		out, err := exec.Command(python, append([]string{"-c", pythonARC, zoneFile}, args...)...).Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%v: %s%s", err, out, exit.Stderr)
		}
		return string(out)
	}
	content := sample
	for n := 1; n <= 4; n++ {
		if n%2 == 1 {
			content = seal(t, content, dkim.Sealing{Key: keys[0], Arrived: verifyARC(t, content, z)})
		} else {
			// It makes its results of a field with its name.
			found := "Authentication-Results: peer.test; arc=pass; dmarc=pass header.from=example.test\r\n"
			content = run("sign", write("message", []byte(found+content)), keyFile) + content
		}
		if got := verifyARC(t, content, z); got.Result != dkim.ResultPass || len(got.Sets) != n {
			t.Fatalf("we: %d sets, %s (%s)\n%s", len(got.Sets), got.Result, got.Reason, content)
		}
		if said := run("verify", write(fmt.Sprint("chain", n), []byte(content))); !strings.HasPrefix(said, "pass ") {
			t.Fatalf("python3-dkim about %d sets: %s\n%s", n, said, content)
		}
	}
	broken := strings.Replace(content, "world", "word", 1)
	if said := run("verify", write("broken", []byte(broken))); !strings.HasPrefix(said, "fail ") {
		t.Errorf("python3-dkim about a changed message: %s", said)
	}
	failed := seal(t, broken, dkim.Sealing{Key: keys[0], Arrived: verifyARC(t, broken, z)})
	if said := run("verify", write("failed", []byte(failed))); !strings.HasPrefix(said, "fail ") {
		t.Errorf("python3-dkim about a chain sealed as failed: %s", said)
	}
}

// FuzzARC: no set of a stranger makes verifying panic or pass, nor sealing make more than one set.
func FuzzARC(f *testing.F) {
	keys, z := newKeys(f)
	once := seal(f, sample, dkim.Sealing{Key: keys[1], Arrived: dkim.Chain{Result: dkim.ResultNone}})
	f.Add(once[:len(once)-len(sample)])
	f.Add("ARC-Seal: i=1; cv=none; a=rsa-sha256; d=a.test; s=x; b=AAAA\r\nARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=a.test; s=x; h=from; bh=AAAA; b=BBBB\r\nARC-Authentication-Results: i=1; a.test; none\r\n")
	f.Add("ARC-Seal: i=50\r\narc-authentication-results:i = 2 ; x\r\nARC-Message-Signature:\r\n")
	f.Fuzz(func(t *testing.T, fields string) {
		content := fields + sample
		before := message.ParseHeader([]byte(content))
		got := verifyARC(t, content, z)
		if got.Result == dkim.ResultPass && !strings.Contains(fields, once[strings.Index(once, "b="):strings.Index(once, "b=")+40]) {
			t.Fatalf("%q passes", fields)
		}
		if got.Result == "" || len(got.Sets) > dkim.MaxInstances {
			t.Fatalf("%+v", got)
		}
		set, err := dkim.Seal(strings.NewReader(content), int64(len(content)), dkim.Sealing{Key: keys[1], Arrived: got, Results: "a.test; none", Time: now})
		if err != nil {
			return
		}
		after := message.ParseHeader([]byte(string(set) + content))
		if len(after.Fields) != len(before.Fields)+3 {
			t.Fatalf("%d fields become %d", len(before.Fields), len(after.Fields))
		}
		if again := verifyARC(t, string(set)+content, z); again.Result != dkim.ResultPass && got.Result != dkim.ResultFail {
			t.Fatalf("sealed %s, then %s (%s)", got.Result, again.Result, again.Reason)
		}
	})
}
