package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// rsaBits is the size of our RSA keys: what every verifier takes (RFC 8301 3.2) and a DNS answer holds.
const rsaBits = 2048

// Key is a private key that signs for a domain under a selector.
type Key struct {
	Domain, Selector string
	Algorithm        Algorithm
	State            State
	// Created is when it was made, Changed when it entered its state.
	Created, Changed time.Time

	private crypto.Signer
}

// GenerateKey makes a key. An RSA one takes a noticeable part of a second.
func GenerateKey(a Algorithm, domain, selector string, now time.Time) (*Key, error) {
	k := &Key{Domain: strings.ToLower(domain), Selector: selector, Algorithm: a, State: Pending, Created: now, Changed: now}
	var err error
	switch a {
	case RSA:
		k.private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case Ed25519:
		_, k.private, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = fmt.Errorf("dkim: unknown algorithm %q", a)
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

// String names the key without its secret.
func (k *Key) String() string { return k.RecordName() + " (" + string(k.Algorithm) + ")" }

// GoString is String: a key that is printed shows no secret.
func (k *Key) GoString() string { return k.String() }

// RecordName is where the key's record stands: "selector._domainkey.example.test".
func (k *Key) RecordName() string { return k.Selector + "._domainkey." + k.Domain }

// Record is the text of the key's TXT record (RFC 6376 3.6.1, RFC 8463 4). Longer than 255 bytes, it goes into the DNS
// as several strings, see RecordStrings.
func (k *Key) Record() (string, error) {
	var p []byte
	switch pub := k.private.Public().(type) {
	case *rsa.PublicKey:
		var err error
		if p, err = x509.MarshalPKIXPublicKey(pub); err != nil {
			return "", err
		}
	case ed25519.PublicKey:
		p = pub
	default:
		return "", errors.New("dkim: a key of an unknown kind")
	}
	return "v=DKIM1; k=" + string(k.Algorithm) + "; p=" + base64.StdEncoding.EncodeToString(p), nil
}

// RecordStrings is Record in the strings of a TXT record, at most 255 bytes each (RFC 1035 3.3.14).
func (k *Key) RecordStrings() ([]string, error) {
	text, err := k.Record()
	if err != nil {
		return nil, err
	}
	var list []string
	for len(text) > 255 {
		list, text = append(list, text[:255]), text[255:]
	}
	return append(list, text), nil
}

// ZoneLine is the record as a line of a zone file.
func (k *Key) ZoneLine() (string, error) {
	list, err := k.RecordStrings()
	if err != nil {
		return "", err
	}
	return k.RecordName() + `. IN TXT "` + strings.Join(list, `" "`) + `"`, nil
}

// marshal is the private key as PKCS #8; unmarshal reads it.
func (k *Key) marshal() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k.private) }

func (k *Key) unmarshal(der []byte) error {
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return fmt.Errorf("dkim: the private key of %s: %w", k, err)
	}
	switch p := private.(type) {
	case *rsa.PrivateKey:
		k.private = p
	case ed25519.PrivateKey:
		k.private = p
	default:
		return fmt.Errorf("dkim: the private key of %s is of an unknown kind", k)
	}
	return nil
}
