package tlsconf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The files of a self-made certificate, in Options.Dir. The CA's certificate lies on top, where its owner finds it to
// give it to clients; secrets are in the folder tls.
const (
	caName   = "ca.pem"
	caKey    = "tls/ca.key"
	leafName = "tls/cert.pem"
	leafKey  = "tls/key.pem"
)

const (
	caLife = 10 * 365 * 24 * time.Hour
	// leafLife is below the 398 days beyond which browsers and Apple's clients refuse a certificate.
	leafLife = 397 * 24 * time.Hour
	// backdate forgives clients whose clocks are behind.
	backdate = time.Hour
)

// reloadSelfMade uses the files of an earlier start while they suit, and makes new ones when they do not.
func (s *Source) reloadSelfMade() error {
	if pair := s.current.Load(); pair != nil && s.suits(pair) {
		return nil
	}
	if pair, err := tls.LoadX509KeyPair(s.file(leafName), s.file(leafKey)); err == nil && s.suits(&pair) {
		s.use(&pair)
		return nil
	}
	if err := os.MkdirAll(s.file("tls"), 0o700); err != nil {
		return fmt.Errorf("no folder for the certificate: %w", err)
	}
	authority, err := s.authority()
	if err != nil {
		return fmt.Errorf("certificate authority %s: %w; restore it, or remove it together with %s and give clients the new one",
			s.file(caName), err, s.file(caKey))
	}
	pair, err := s.issue(authority)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", s.file(leafName), err)
	}
	s.use(pair)
	return nil
}

func (s *Source) file(name string) string {
	return filepath.Join(s.options.Dir, filepath.FromSlash(name))
}

// suits: a third of its life is left, it covers every name, and it is signed by the CA that lies beside it.
func (s *Source) suits(pair *tls.Certificate) bool {
	now := s.options.Clock.Now()
	if now.Before(pair.Leaf.NotBefore) || now.After(pair.Leaf.NotAfter.Add(-leafLife/3)) {
		return false
	}
	dns, ips := split(s.options.Names)
	have := make(map[string]bool)
	for _, name := range pair.Leaf.DNSNames {
		have[name] = true
	}
	for _, ip := range pair.Leaf.IPAddresses {
		have[ip.String()] = true
	}
	for _, name := range dns {
		if !have[name] {
			return false
		}
	}
	for _, ip := range ips {
		if !have[ip.String()] {
			return false
		}
	}
	ca, err := readCertificate(s.file(caName))
	return err == nil && pair.Leaf.CheckSignatureFrom(ca) == nil
}

func split(names []string) (dns []string, ips []net.IP) {
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			ips = append(ips, ip)
		} else {
			dns = append(dns, name)
		}
	}
	return dns, ips
}

// authority loads the CA or makes it when neither of its files exists. One file without the other is an error: making a
// new CA silently would lock out every client that trusts the old one. Only a key alone that never signed anything is
// replaced: it is from a first start that was cut off.
func (s *Source) authority() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(s.file(caName), s.file(caKey))
	if err == nil {
		if s.options.Clock.Now().Add(leafLife).Before(pair.Leaf.NotAfter) {
			return &pair, nil
		}
		s.options.Log.Warn("certificate authority runs out and is replaced; give clients the new one", "file", s.file(caName))
	} else {
		_, noCert := os.Stat(s.file(caName))
		_, noKey := os.Stat(s.file(caKey))
		_, noLeaf := os.Stat(s.file(leafKey))
		unused := errors.Is(noKey, fs.ErrNotExist) || errors.Is(noLeaf, fs.ErrNotExist)
		if !errors.Is(noCert, fs.ErrNotExist) || !unused {
			return nil, err
		}
	}
	now := s.options.Clock.Now()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Postern CA of " + s.options.Names[0] + " " + now.UTC().Format(time.DateOnly)},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	return s.sign(template, nil, caName, caKey)
}

func (s *Source) issue(authority *tls.Certificate) (*tls.Certificate, error) {
	now := s.options.Clock.Now()
	dns, ips := split(s.options.Names)
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: s.options.Names[0]},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(leafLife - backdate),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              dns,
		IPAddresses:           ips,
	}
	return s.sign(template, authority, leafName, leafKey)
}

// sign makes a P-256 key and a certificate for it, by the authority or by itself, and writes both: the key first, so
// that a certificate never lies there without it.
func (s *Source) sign(template *x509.Certificate, authority *tls.Certificate, certFile, keyFile string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// RFC 5280 4.1.2.2: a positive number of at most 20 octets.
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, err
	}
	template.SerialNumber.Add(template.SerialNumber, big.NewInt(1))
	parent, signer := template, any(key)
	if authority != nil {
		parent, signer = authority.Leaf, authority.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := replace(s.file(keyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return nil, err
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	mode := fs.FileMode(0o600)
	if authority == nil {
		mode = 0o644 // the CA's certificate is for everyone
	}
	if err := replace(s.file(certFile), chain, mode); err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(s.file(certFile), s.file(keyFile))
	return &pair, err
}

// replace writes a file whole or not at all, durably.
func replace(path string, content []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(mode) // the umask may have taken bits
	}
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		os.Remove(path + ".new")
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func readCertificate(path string) (*x509.Certificate, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return x509.ParseCertificate(block.Bytes)
}
