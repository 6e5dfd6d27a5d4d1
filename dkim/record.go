package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"slices"
	"strings"

	"postern/internal/readings"
)

const (
	// minRSABits: a verifier must not believe in less (RFC 8301 3.2).
	minRSABits = 1024
	// maxRSABits bounds the work that a stranger's key makes us do.
	maxRSABits = 8192
)

// record is a public key as it stands in the DNS (RFC 6376 3.6.1).
type record struct {
	algorithm Algorithm
	rsa       *rsa.PublicKey
	ed25519   ed25519.PublicKey
	bits      int
	hashes    []string // h=, nil for all
	testing   bool     // t=y
	strict    bool     // t=s: the identifier must be of the very domain
}

var (
	errNotDKIM = errors.New("not a DKIM key record")
	errRevoked = errors.New("the key is revoked")
)

// Records remembers keys by their texts, so that a key is read once and not for each message. Nobody changes what it gives.
type Records = readings.Memory[*record]

// parseRecord reads the text of a key record.
func parseRecord(text string) (*record, error) {
	if len(text) > 16<<10 {
		return nil, errors.New("the key record is too big")
	}
	t, err := parseTags(text)
	if err != nil {
		return nil, err
	}
	if v, ok := t.get("v"); ok && (t.list[0].name != "v" || v != "DKIM1") {
		return nil, errNotDKIM
	}
	p, ok := t.get("p")
	if !ok {
		return nil, errNotDKIM
	}
	r := &record{algorithm: RSA}
	if k, ok := t.get("k"); ok {
		r.algorithm = Algorithm(k)
	}
	if h, ok := t.get("h"); ok {
		r.hashes = list(h)
	}
	if s, ok := t.get("s"); ok && !slices.Contains(list(s), "*") && !slices.Contains(list(s), "email") {
		return nil, errors.New("the key is not for mail")
	}
	flags := list(t.value("t"))
	r.testing, r.strict = slices.Contains(flags, "y"), slices.Contains(flags, "s")
	if compact(p) == "" {
		return r, errRevoked
	}
	der, err := base64.StdEncoding.DecodeString(compact(p))
	if err != nil {
		return r, errors.New("the key is not Base64")
	}
	return r, r.parseKey(der)
}

func (r *record) parseKey(der []byte) error {
	switch r.algorithm {
	case Ed25519:
		if len(der) != ed25519.PublicKeySize {
			return errors.New("the Ed25519 key has not 32 bytes")
		}
		r.ed25519, r.bits = der, 256
	case RSA:
		key, err := parseRSA(der)
		if err != nil {
			return err
		}
		if r.rsa, r.bits = key, key.N.BitLen(); r.bits > maxRSABits {
			return errors.New("the RSA key is too big")
		}
	default:
		return errors.New("the key is of an unknown kind")
	}
	return nil
}

// parseRSA reads SubjectPublicKeyInfo, or the bare RSAPublicKey that RFC 6376 3.6.1 names and some publish.
func parseRSA(der []byte) (*rsa.PublicKey, error) {
	if any, err := x509.ParsePKIXPublicKey(der); err == nil {
		if key, ok := any.(*rsa.PublicKey); ok {
			return key, nil
		}
		return nil, errors.New("the key is not an RSA key")
	}
	key, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		return nil, errors.New("the key cannot be read")
	}
	return key, nil
}

// verify reports whether value is the key's signature of a digest.
func (r *record) verify(kind crypto.Hash, digest, value []byte) bool {
	switch {
	case r.ed25519 != nil:
		return ed25519.Verify(r.ed25519, digest, value) // RFC 8463 3
	case r.bits < minRSABits:
		return fitsShortKey(r.rsa, kind, digest, value)
	default:
		return rsa.VerifyPKCS1v15(r.rsa, kind, digest, value) == nil
	}
}

// fitsShortKey is RSASSA-PKCS1-v1_5 (RFC 8017 8.2.2) with keys that crypto/rsa refuses to compute with. What it says is
// never more than a remark on a signature that is refused for its key.
func fitsShortKey(key *rsa.PublicKey, kind crypto.Hash, digest, value []byte) bool {
	prefix := map[crypto.Hash]string{
		crypto.SHA1:   "\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
		crypto.SHA256: "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
	}[kind]
	size := key.Size()
	padding := size - len(prefix) - len(digest) - 3
	if padding < 8 || len(value) != size || key.E < 2 {
		return false
	}
	m := new(big.Int).SetBytes(value)
	if m.Cmp(key.N) >= 0 {
		return false
	}
	want := "\x00\x01" + strings.Repeat("\xff", padding) + "\x00" + prefix + string(digest)
	return string(m.Exp(m, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, size))) == want
}

// pickRecord gives the first of the texts that is a key. There should be only one (RFC 6376 3.6.2.2).
func pickRecord(texts []string, records *Records) (*record, error) {
	var first *record
	err := errors.New("no key record")
	for i, text := range texts[:min(len(texts), 10)] {
		r, e := records.Read(text, parseRecord)
		if e == nil {
			return r, nil
		}
		if i == 0 || (errors.Is(err, errNotDKIM) && !errors.Is(e, errNotDKIM)) {
			first, err = r, e
		}
	}
	return first, err
}

// isDomain reports whether s can be a d= tag; A-labels, or U-labels in internationalised mail (RFC 8616 3).
func isDomain(s string) bool {
	if s == "" || len(s) > 253 || !strings.Contains(s, ".") {
		return false
	}
	return isLabels(s)
}

func isLabels(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if c < 0x80 && !(c|0x20 >= 'a' && c|0x20 <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}
