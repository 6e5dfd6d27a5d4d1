package tlsconf

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"postern/internal/clock"
)

// Options say where the certificate comes from.
type Options struct {
	// Cert and Key are PEM files. Both empty: the certificate is self-made.
	Cert, Key string
	// Dir holds the self-made files: ca.pem, and cert.pem, key.pem and ca.key in its folder tls.
	Dir string
	// Names are the host names (wildcards too) and IP addresses of a self-made certificate, the main one first.
	Names []string
	// ReadFile reads Cert and Key, for a process that may not do so itself. Nil means the file system.
	ReadFile func(path string) ([]byte, error)
	Clock    clock.Clock
	Log      *slog.Logger
}

// checkEvery is how often the files are looked at: Let's Encrypt clients replace them days before they run out.
const checkEvery = time.Minute

// maxFile bounds a certificate file: a chain is a few KiB.
const maxFile = 1 << 20

// Source holds the certificate in use.
type Source struct {
	options Options
	current atomic.Pointer[tls.Certificate]

	mu     sync.Mutex // one reload at a time
	loaded [2][32]byte
	broken [2][32]byte
}

// Open loads or makes the first certificate. Without a usable one there is no server, so what is wrong is an error here.
func Open(o Options) (*Source, error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.ReadFile == nil {
		o.ReadFile = readFile
	}
	s := &Source{options: o}
	if err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s is larger than a certificate can be", path)
	}
	return b, err
}

// Config is the policy with the certificate in use. A client's server name is not a condition: mail servers are reached
// by many names, and a peer that cares compares the certificate itself.
func (s *Source) Config() *tls.Config {
	c := Policy()
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.current.Load(), nil }
	c.Time = s.options.Clock.Now
	return c
}

// Leaf is the certificate in use.
func (s *Source) Leaf() *x509.Certificate { return s.current.Load().Leaf }

// SelfMade reports whether Postern makes the certificate itself; ca is the file of the CA that clients can be given.
func (s *Source) SelfMade() (ca string, yes bool) {
	return filepath.Join(s.options.Dir, caName), s.options.Cert == ""
}

// Reload takes the certificate from its files again, or renews the self-made one when its time or its names ask for it.
// On error the one in use stays in use.
func (s *Source) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.options.Cert == "" {
		return s.reloadSelfMade()
	}
	return s.reloadFiles()
}

func (s *Source) reloadFiles() error {
	certPEM, err := s.options.ReadFile(s.options.Cert)
	if err != nil {
		return fmt.Errorf("certificate %s cannot be read: %w; check tls.cert in postern.toml and the file's permissions", s.options.Cert, err)
	}
	keyPEM, err := s.options.ReadFile(s.options.Key)
	if err != nil {
		return fmt.Errorf("key %s cannot be read: %w; check tls.key in postern.toml and the file's permissions", s.options.Key, err)
	}
	sums := [2][32]byte{sha256.Sum256(certPEM), sha256.Sum256(keyPEM)}
	if sums == s.loaded && s.current.Load() != nil {
		return nil
	}
	if sums == s.broken {
		return errUnchanged
	}
	pair, err := s.check(certPEM, keyPEM)
	if err != nil {
		s.broken = sums
		return err
	}
	s.use(pair)
	s.loaded, s.broken = sums, [2][32]byte{}
	return nil
}

// errUnchanged: the broken pair that was reported before is still there.
var errUnchanged = errors.New("the certificate files are still the ones that cannot be used")

// check parses a pair and refuses one that is worse than what is in use.
func (s *Source) check(certPEM, keyPEM []byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("%s and %s are not a certificate and its key: %w; put the chain in the one, the unencrypted key in the other, both PEM",
			s.options.Cert, s.options.Key, err)
	}
	now := s.options.Clock.Now()
	old := s.current.Load()
	if now.After(pair.Leaf.NotAfter) && old != nil && now.Before(old.Leaf.NotAfter) {
		return nil, fmt.Errorf("%s ran out on %s, the certificate in use has not; renew it", s.options.Cert, pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	if len(s.options.Names) > 0 {
		if err := pair.Leaf.VerifyHostname(s.options.Names[0]); err != nil {
			s.options.Log.Warn("certificate does not name this server; clients will complain", "file", s.options.Cert, "hostname", s.options.Names[0])
		}
	}
	if now.After(pair.Leaf.NotAfter) {
		s.options.Log.Error("certificate has run out; renew it", "file", s.options.Cert, "until", pair.Leaf.NotAfter)
	}
	return &pair, nil
}

func (s *Source) use(pair *tls.Certificate) {
	old := s.current.Swap(pair)
	if old != nil && bytes.Equal(old.Certificate[0], pair.Certificate[0]) {
		return
	}
	s.options.Log.Info("certificate in use", "names", pair.Leaf.DNSNames, "issuer", pair.Leaf.Issuer.CommonName, "until", pair.Leaf.NotAfter)
}

// Watch reloads the certificate when its files change, until the context ends. What goes wrong is logged once per
// change: the old certificate keeps working.
func (s *Source) Watch(ctx context.Context) {
	timer := s.options.Clock.NewTimer(checkEvery)
	defer timer.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C():
		}
		switch err := s.Reload(); {
		case err == nil:
			last = ""
		case errors.Is(err, errUnchanged) || err.Error() == last:
		default:
			last = err.Error()
			s.options.Log.Error("certificate not reloaded, the old one stays in use", "error", err)
		}
		timer.Reset(checkEvery)
	}
}
