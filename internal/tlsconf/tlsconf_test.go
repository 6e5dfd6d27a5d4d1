package tlsconf

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/internal/clock"
	"postern/internal/testenv"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var demoNames = []string{"mail.example.test", "*.example.test", "localhost", "127.0.0.1", "::1"}

func open(t *testing.T, o Options) *Source {
	t.Helper()
	if o.Clock == nil {
		o.Clock = clock.NewManual(noon)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// handshake connects a client to the policy over loopback and gives what was agreed. (Not over net.Pipe: there both
// sides may write at once and wait for each other.)
func handshake(t *testing.T, s *Source, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	l, err := tls.Listen("tcp4", "127.0.0.1:0", s.Config())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if server, err := l.Accept(); err == nil {
			server.Write([]byte("x"))
			server.Close()
		}
	}()
	defer func() { l.Close(); <-done }()
	raw, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	client = client.Clone()
	client.Time = s.options.Clock.Now
	conn := tls.Client(raw, client)
	if err := conn.Handshake(); err != nil {
		return tls.ConnectionState{}, err
	}
	_, err = io.ReadFull(conn, make([]byte, 1))
	return conn.ConnectionState(), err
}

func roots(t *testing.T, s *Source) *x509.CertPool {
	t.Helper()
	ca, _ := s.SelfMade()
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("no CA in ca.pem")
	}
	return pool
}

func TestOnlyForwardSecretAuthenticatedEncryptionIsAgreed(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), Names: demoNames})
	pool := roots(t, s)
	allowed := make(map[uint16]bool)
	for _, suite := range Policy().CipherSuites {
		allowed[suite] = true
	}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if suite.SupportedVersions[0] == tls.VersionTLS13 {
			continue
		}
		// The server's key is ECDSA, so suites for RSA keys cannot be agreed even where they are allowed.
		want := allowed[suite.ID] && strings.Contains(suite.Name, "_ECDSA_")
		state, err := handshake(t, s, &tls.Config{RootCAs: pool, ServerName: "localhost", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
		if got := err == nil; got != want {
			t.Errorf("%s: agreed %v, want %v", suite.Name, got, want)
		}
		if err == nil && !strings.Contains(tls.CipherSuiteName(state.CipherSuite), "GCM") && !strings.Contains(tls.CipherSuiteName(state.CipherSuite), "POLY1305") {
			t.Errorf("%s is no AEAD suite", suite.Name)
		}
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		_, err := handshake(t, s, &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: version, MaxVersion: version})
		if got, want := err == nil, version >= tls.VersionTLS12; got != want {
			t.Errorf("%s: agreed %v, want %v (%v)", tls.VersionName(version), got, want, err)
		}
	}
	for _, curve := range []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521} {
		_, err := handshake(t, s, &tls.Config{RootCAs: pool, ServerName: "localhost", CurvePreferences: []tls.CurveID{curve}})
		if got, want := err == nil, curve != tls.CurveP521; got != want {
			t.Errorf("%v: agreed %v, want %v (%v)", curve, got, want, err)
		}
	}
}

func TestThePolicyIsWithinMozillasIntermediateGuideline(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(testenv.Testdata(t, "tls-http-guidelines"), "mozilla-tls-guidelines-5.7.json"))
	if err != nil {
		t.Fatal(err)
	}
	var guideline struct {
		Configurations map[string]struct {
			Ciphers struct{ IANA []string } `json:"ciphers"`
		}
	}
	if err := json.Unmarshal(text, &guideline); err != nil {
		t.Fatal(err)
	}
	allowed := guideline.Configurations["intermediate"].Ciphers.IANA
	if len(allowed) == 0 {
		t.Fatal("the guideline has no suites")
	}
	for _, suite := range Policy().CipherSuites {
		name := tls.CipherSuiteName(suite)
		found := false
		for _, a := range allowed {
			found = found || a == name
		}
		if !found {
			t.Errorf("%s is not in the guideline", name)
		}
	}
}

func TestASelfMadeCertificateIsTrustedUnderEachOfItsNames(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), Names: demoNames})
	pool := roots(t, s)
	for name, want := range map[string]bool{"mail.example.test": true, "imap.example.test": true, "localhost": true,
		"127.0.0.1": true, "::1": true, "example.org": false, "127.0.0.2": false} {
		_, err := handshake(t, s, &tls.Config{RootCAs: pool, ServerName: name})
		if got := err == nil; got != want {
			t.Errorf("%s: trusted %v, want %v (%v)", name, got, want, err)
		}
	}
}

func TestSecretsOfASelfMadeCertificateAreForTheirOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	open(t, Options{Dir: dir, Names: demoNames})
	for name, want := range map[string]os.FileMode{"ca.pem": 0o644, "tls": 0o700 | os.ModeDir, "tls/ca.key": 0o600, "tls/key.pem": 0o600, "tls/cert.pem": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v, want %v", name, info.Mode(), err, want)
		}
	}
}

func TestASecondStartKeepsTheCertificateAndANewNameRenewsItUnderTheSameAuthority(t *testing.T) {
	dir := t.TempDir()
	first := open(t, Options{Dir: dir, Names: demoNames})
	again := open(t, Options{Dir: dir, Names: demoNames})
	if !first.Leaf().Equal(again.Leaf()) {
		t.Error("the certificate changed without a reason")
	}
	renamed := open(t, Options{Dir: dir, Names: append([]string{"mail.example.org"}, demoNames...)})
	if renamed.Leaf().Equal(first.Leaf()) {
		t.Error("the new name is not in the certificate")
	}
	if _, err := handshake(t, renamed, &tls.Config{RootCAs: roots(t, first), ServerName: "mail.example.org"}); err != nil {
		t.Errorf("clients that trust the CA no longer do: %v", err)
	}
}

func TestASelfMadeCertificateIsRenewedBeforeItRunsOut(t *testing.T) {
	time0 := clock.NewManual(noon)
	s := open(t, Options{Dir: t.TempDir(), Names: demoNames, Clock: time0})
	old := s.Leaf()
	time0.Advance(leafLife / 2)
	if err := s.Reload(); err != nil || !s.Leaf().Equal(old) {
		t.Errorf("renewed at half its life (%v)", err)
	}
	time0.Advance(leafLife / 4)
	if err := s.Reload(); err != nil || s.Leaf().Equal(old) {
		t.Errorf("not renewed at three quarters of its life (%v)", err)
	}
	if _, err := handshake(t, s, &tls.Config{RootCAs: roots(t, s), ServerName: "localhost"}); err != nil {
		t.Error(err)
	}
}

func TestHalfAnAuthorityIsAnErrorAndNotANewAuthority(t *testing.T) {
	dir := t.TempDir()
	open(t, Options{Dir: dir, Names: demoNames})
	if err := os.Remove(filepath.Join(dir, caKey)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, leafName)); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Dir: dir, Names: demoNames, Clock: clock.NewManual(noon)})
	if err == nil || !strings.Contains(err.Error(), "restore it, or remove it") {
		t.Errorf("got %v", err)
	}
}

func TestAFirstStartThatWasCutOffIsBegunAgain(t *testing.T) {
	whole := t.TempDir()
	open(t, Options{Dir: whole, Names: demoNames})
	files := []string{caKey, caName, leafKey, leafName} // in the order in which they are made
	for made := range files {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "tls"), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range files[:made+1] {
			copyFile(t, filepath.Join(dir, name), filepath.Join(whole, name))
		}
		s := open(t, Options{Dir: dir, Names: demoNames})
		if _, err := handshake(t, s, &tls.Config{RootCAs: roots(t, s), ServerName: "localhost"}); err != nil {
			t.Errorf("cut off after %s: %v", files[made], err)
		}
	}
}

// pairFiles makes cert.pem and key.pem for a name in a folder of their own.
func pairFiles(t *testing.T, name string) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	open(t, Options{Dir: dir, Names: []string{name}})
	return filepath.Join(dir, leafName), filepath.Join(dir, leafKey)
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNewFilesAreUsedWithoutARestartAndABrokenPairKeepsTheOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		oldCert, oldKey := pairFiles(t, "old.example.org")
		newCert, newKey := pairFiles(t, "new.example.org")
		copyFile(t, cert, oldCert)
		copyFile(t, key, oldKey)
		var logged bytes.Buffer
		s := open(t, Options{Cert: cert, Key: key, Clock: clock.System, Log: slog.New(slog.NewTextHandler(&logged, nil))})
		ctx, cancel := context.WithCancel(t.Context())
		go s.Watch(ctx)

		copyFile(t, cert, newCert) // the key is still the old one, as it is for a moment at every renewal
		time.Sleep(2*checkEvery + time.Second)
		if got := s.Leaf().DNSNames[0]; got != "old.example.org" {
			t.Errorf("a broken pair is in use: %s", got)
		}
		copyFile(t, key, newKey)
		time.Sleep(checkEvery)
		if got := s.Leaf().DNSNames[0]; got != "new.example.org" {
			t.Errorf("in use is %s", got)
		}
		cancel()
		synctest.Wait()
		if n := strings.Count(logged.String(), "certificate not reloaded"); n != 1 {
			t.Errorf("the broken pair was logged %d times:\n%s", n, logged.String())
		}
	})
}

func TestARunOutCertificateDoesNotReplaceAValidOne(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	oldCert, oldKey := pairFiles(t, "old.example.org")
	long := t.TempDir()
	open(t, Options{Dir: long, Names: []string{"long.example.org"}, Clock: clock.NewManual(noon.Add(leafLife))})
	copyFile(t, cert, filepath.Join(long, leafName))
	copyFile(t, key, filepath.Join(long, leafKey))
	s := open(t, Options{Cert: cert, Key: key, Clock: clock.NewManual(noon.Add(leafLife + time.Hour))})
	copyFile(t, cert, oldCert)
	copyFile(t, key, oldKey)
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "ran out on") {
		t.Errorf("got %v", err)
	}
	if got := s.Leaf().DNSNames[0]; got != "long.example.org" {
		t.Errorf("in use is %s", got)
	}
}

func TestMissingOrForeignFilesAreErrorsThatSayWhatToDo(t *testing.T) {
	cert, key := pairFiles(t, "a.example.org")
	_, other := pairFiles(t, "b.example.org")
	for _, c := range []struct{ cert, key, want string }{
		{cert + ".no", key, "check tls.cert in postern.toml"},
		{cert, key + ".no", "check tls.key in postern.toml"},
		{cert, other, "are not a certificate and its key"},
		{key, cert, "are not a certificate and its key"},
	} {
		_, err := Open(Options{Cert: c.cert, Key: c.key, Clock: clock.NewManual(noon)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestFilesAreReadByTheGivenReader(t *testing.T) {
	cert, key := pairFiles(t, "a.example.org")
	var asked []string
	open(t, Options{Cert: "/secret/cert", Key: "/secret/key", ReadFile: func(path string) ([]byte, error) {
		asked = append(asked, path)
		switch path {
		case "/secret/cert":
			return os.ReadFile(cert)
		case "/secret/key":
			return os.ReadFile(key)
		}
		return nil, errors.New("not asked for")
	}})
	if len(asked) != 2 {
		t.Errorf("read %v", asked)
	}
}
