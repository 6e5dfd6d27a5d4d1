package story_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"postern/internal/resolver"
	"postern/internal/testdns"
	"postern/internal/testenv"
)

// signingKey is one key for all domains of a test: making one takes a while.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func key(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	k, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// publishKey lets a domain's signatures be verified, under the selector "s".
func (g *gate) publishKey(t *testing.T, domain string) {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	g.dns.SetTXT("s._domainkey."+domain, "v=DKIM1; k=rsa; p="+base64.StdEncoding.EncodeToString(der))
}

// domain publishes what a sender's domain says of itself: the client that may send for it ("" for none), and its policy ("" for
// none). Its key is published too.
func (g *gate) domain(t *testing.T, name, ip, policy string) {
	t.Helper()
	if ip == "" {
		g.dns.SetTXT(name, "v=spf1 -all")
	} else {
		g.dns.SetTXT(name, "v=spf1 ip4:"+ip+" -all")
	}
	if policy != "" {
		g.dns.SetTXT("_dmarc."+name, "v=DMARC1; p="+policy)
	}
	g.publishKey(t, name)
}

// sign has go-msgauth, which shares no code with us, sign a message for a domain.
func sign(t *testing.T, message, domain string) string {
	t.Helper()
	var signed bytes.Buffer
	o := &msgauth.SignOptions{Domain: domain, Selector: "s", Signer: key(t), Hash: crypto.SHA256,
		HeaderCanonicalization: msgauth.CanonicalizationRelaxed, BodyCanonicalization: msgauth.CanonicalizationSimple,
		HeaderKeys: []string{"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"}}
	if err := msgauth.Sign(&signed, strings.NewReader(message), o); err != nil {
		t.Fatal(err)
	}
	return signed.String()
}

// python runs a script that may import dkimpy, with files of the given contents as its arguments, and gives what it says.
func python(t *testing.T, script string, files ...[]byte) []byte {
	t.Helper()
	program := testenv.Need(t, "/usr/bin/python3")[0]
	if out, err := exec.Command(program, "-c", "import dkim, authres, dns.resolver").CombinedOutput(); err != nil {
		testenv.Missing(t, "python3-dkim, python3-authres, python3-dnspython: %s", out)
	}
	dir := t.TempDir()
	args := []string{"-c", script}
	for i, content := range files {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	out, err := exec.Command(program, args...).Output()
	if err != nil {
		stderr := []byte{}
		if exit, ok := err.(*exec.ExitError); ok {
			stderr = exit.Stderr
		}
		t.Fatalf("python: %v\n%s%s", err, out, stderr)
	}
	return out
}

// sealWithPython has dkimpy seal a message for a domain that found results when the message came to it.
func sealWithPython(t *testing.T, message, domain, results string) string {
	t.Helper()
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key(t))})
	stamped := "Authentication-Results: " + domain + "; " + results + "\r\n" + message
	set := python(t, `
import dkim, sys
message, key = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read()
sys.stdout.buffer.write(b"".join(dkim.arc_sign(message, b"s", b"`+domain+`", key, b"`+domain+`")))
`, []byte(stamped), pemKey)
	if !bytes.Contains(set, []byte("ARC-Seal:")) {
		t.Fatalf("python sealed nothing: %s", set)
	}
	return string(set) + stamped
}

// dnsForPython is the beginning of a script that asks the test's DNS for keys.
func dnsForPython(dns *testdns.Server) string {
	host, port, _ := strings.Cut(dns.Addr(), ":")
	return `
import dkim, sys, dns.resolver
r = dns.resolver.Resolver(configure=False)
r.nameservers, r.port = ["` + host + `"], ` + port + `
def txt(name, timeout=5):
    return b"".join(r.resolve(name.decode(), "TXT")[0].strings)
`
}

// lookup asks the test's DNS for texts.
func lookup(t *testing.T, dns *testdns.Server) func(string) ([]string, error) {
	r := resolver.New(resolver.Options{Servers: []string{dns.Addr()}})
	return func(name string) ([]string, error) { return r.LookupTXT(t.Context(), name) }
}
