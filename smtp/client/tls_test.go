package client_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"postern/smtp/client"
)

// certificate makes a self-signed certificate for a name.
func certificate(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// tlsPeer plays a script up to "TLS", where it does the handshake, and goes on behind it.
func tlsPeer(t *testing.T, cert tls.Certificate, before, after string) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		l.Close()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		r := bufio.NewReader(conn)
		for line := range strings.SplitSeq(before, "\n") {
			if !play(t, conn, r, line, nil) {
				return
			}
		}
		secured := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
		r = bufio.NewReader(secured)
		for line := range strings.SplitSeq(after, "\n") {
			if !play(t, secured, r, line, new(strings.Builder)) {
				return
			}
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); <-done })
	return conn
}

const beforeTLS = "S: 220 hi\nC: EHLO us.test\nS: 250-x\nS: 250-SIZE 1\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go"

func TestAfterStartTLSTheServerIsAskedAnew(t *testing.T) {
	cert, pool := certificate(t, "mx.p.test")
	conn := tlsPeer(t, cert, beforeTLS, "C: EHLO us.test\nS: 250-x\nS: 250-AUTH PLAIN\nS: 250 REQUIRETLS\n"+
		"C: AUTH PLAIN AHVzZXIAcGFzcw==\nS: 235 ok\nC: MAIL FROM:<a@us.test> REQUIRETLS\nS: 250 ok\nC: RCPT TO:<b@p.test>\nS: 250 ok\nC: DATA\nS: 354 go\nC* \nS: 250 ok\nC: QUIT\nS: 221 bye")
	c := connect(t, conn)
	if err := c.Auth(t.Context(), "user", "pass"); err == nil {
		t.Fatal("a password went in clear")
	}
	if err := c.StartTLS(t.Context(), &tls.Config{RootCAs: pool, ServerName: "mx.p.test"}); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Extension("SIZE"); ok || c.TLS() == nil {
		t.Error("what was said in clear is still believed")
	}
	if err := c.Auth(t.Context(), "user", "pass"); err != nil {
		t.Fatal(err)
	}
	m := mail("b@p.test")
	m.RequireTLS = true
	if r, err := c.Send(t.Context(), m, strings.NewReader(content)); err != nil || codes(r) != "ok" {
		t.Errorf("%v %v", codes(r), err)
	}
	c.Quit()
}

func TestTLSThatFailsEndsTheSession(t *testing.T) {
	cert, _ := certificate(t, "other.test")
	for name, conn := range map[string]net.Conn{
		"an untrusted certificate": tlsPeer(t, cert, beforeTLS, "C?"),
		"words in clear":           tlsPeer(t, cert, beforeTLS+"\nS: 250 and more", "C?"),
		"garbage for TLS":          tlsPeer(t, cert, beforeTLS+"\nS: this is not TLS\nX", ""),
		"refused":                  tlsPeer(t, cert, strings.Replace(beforeTLS, "220 go", "454 not now", 1)+"\nC?", ""),
		"not offered":              tlsPeer(t, cert, "S: 220 hi\nC: EHLO us.test\nS: 250 x\nC?", ""),
	} {
		c := connect(t, conn)
		err := c.StartTLS(t.Context(), &tls.Config{ServerName: "mx.p.test"})
		var e *client.Error
		if !errors.As(err, &e) || e.Phase != client.PhaseTLS {
			t.Errorf("%s: %v", name, err)
		}
		if name == "not offered" && !errors.Is(err, client.ErrNoTLS) {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
	}
}

// What comes in clear behind the 220 was written by somebody in between (CVE-2011-0411's other half).
func TestWordsBehindTheReplyToStartTLSAreRefused(t *testing.T) {
	us, them := net.Pipe()
	go func() {
		r := bufio.NewReader(them)
		_, _ = io.WriteString(them, "220 hi\r\n")
		_, _ = r.ReadString('\n')
		_, _ = io.WriteString(them, "250-x\r\n250 STARTTLS\r\n")
		_, _ = r.ReadString('\n')
		_, _ = io.WriteString(them, "220 go\r\n250 injected\r\n")
		hold(them)
	}()
	c := connect(t, us)
	if err := c.StartTLS(t.Context(), &tls.Config{InsecureSkipVerify: true}); !errors.Is(err, client.ErrInjected) {
		t.Errorf("%v", err)
	}
}
