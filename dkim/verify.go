package dkim

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/idna"
)

// MaxSignatures is how many signatures of a message are looked at, the topmost.
const MaxSignatures = 10

// clockSkew is by how much another's clock may be ahead of ours.
const clockSkew = 5 * time.Minute

// Verify checks the signatures of a message, the topmost first, at most MaxSignatures: none gives an empty list. The
// error is one of reading the message, or ErrHeaderTooBig; what is wrong with a signature is in its Verification. The
// keys are looked up at the same time while the body is read, once.
func Verify(ctx context.Context, r io.ReaderAt, size int64, lookup LookupTXT, now time.Time) ([]Verification, error) {
	br := readers.Get().(*bufio.Reader)
	defer readers.Put(br)
	br.Reset(io.NewSectionReader(r, 0, size))
	h, err := readHeader(br)
	if err != nil {
		return nil, err
	}
	all := h.signatures(now)
	if len(all) == 0 {
		return nil, nil
	}
	var looking sync.WaitGroup
	var simple, relaxed *bodyHash
	for _, s := range all {
		if s.done {
			continue
		}
		looking.Go(func() { s.key, s.keyErr = fetch(ctx, lookup, s) })
		if s.relaxedBody && relaxed == nil {
			relaxed = newBodyHash(sha256.New(), true)
		} else if !s.relaxedBody && simple == nil {
			simple = newBodyHash(sha256.New(), false)
		}
	}
	bodies := slices.DeleteFunc([]*bodyHash{simple, relaxed}, func(b *bodyHash) bool { return b == nil })
	if len(bodies) > 0 {
		err = copyBody(br, bodies)
	}
	looking.Wait()
	if err != nil {
		return nil, err
	}
	sums := map[bool][]byte{}
	for _, b := range bodies {
		sums[b.relaxed] = b.Sum()
	}
	list := make([]Verification, len(all))
	for i, s := range all {
		if !s.done {
			s.judge(h, sums[s.relaxedBody])
		}
		list[i] = s.Verification
	}
	return list, nil
}

// errLookup: the DNS gave no answer; the key may be had later.
var errLookup = errors.New("the key could not be looked up")

// signature is a DKIM-Signature field on its way to a result.
type signature struct {
	Verification
	done bool // the result stands

	raw                        []byte
	bodySum, value             []byte
	relaxedHeader, relaxedBody bool
	key                        *record
	keyErr                     error
}

func (s *signature) is(r Result, reason string) {
	s.Result, s.Reason, s.done = r, reason, true
}

func (h header) signatures(now time.Time) []*signature {
	var all []*signature
	for _, f := range h {
		if f.name == "dkim-signature" && len(all) < MaxSignatures {
			s := &signature{raw: f.raw}
			s.parse(f.value(), now)
			all = append(all, s)
		}
	}
	return all
}

// parse reads the tags of a signature (RFC 6376 3.5) and checks what needs no key (6.1.1).
func (s *signature) parse(value string, now time.Time) {
	t, err := parseTags(value)
	s.Domain, s.Selector, s.Algorithm = compact(t.values["d"]), compact(t.values["s"]), compact(t.values["a"])
	s.Identifier = "@" + s.Domain
	if i, ok := t.values["i"]; ok {
		s.Identifier = decodeQP(compact(i))
	}
	b := compact(t.values["b"])
	s.SignaturePrefix = b[:min(len(b), 8)]
	if err != nil {
		s.is(ResultPermError, "malformed signature: "+err.Error())
		return
	}
	for _, name := range []string{"v", "a", "b", "bh", "d", "h", "s"} {
		if _, ok := t.values[name]; !ok {
			s.is(ResultPermError, "malformed signature: no "+name+"= tag")
			return
		}
	}
	s.Signed = list(t.values["h"])
	if problem := s.checkTags(t); problem != "" {
		s.is(ResultPermError, problem)
		return
	}
	if problem := s.times(t); problem != "" {
		s.is(ResultPermError, problem)
		return
	}
	if problem := s.policy(t, now); problem != "" {
		s.is(ResultPolicy, problem)
	}
}

// checkTags gives what is wrong with the tags, or "".
func (s *signature) checkTags(t tags) string {
	var err1, err2 error
	s.bodySum, err1 = base64.StdEncoding.DecodeString(compact(t.values["bh"]))
	s.value, err2 = base64.StdEncoding.DecodeString(compact(t.values["b"]))
	local, domain, hasAt := cutLast(s.Identifier, "@")
	switch {
	case t.values["v"] != "1":
		return "unknown version of DKIM"
	case !isDomain(s.Domain) || s.Selector == "" || !isLabels(s.Selector):
		return "malformed domain or selector"
	case !hasAt || len(local) > 256 || !within(domain, s.Domain):
		return "the identifier is not of the signing domain"
	case err1 != nil || err2 != nil || len(s.bodySum) == 0 || len(s.value) == 0:
		return "malformed hash or signature"
	case len(s.Signed) > 1000:
		return "too many header fields are named"
	case !slices.ContainsFunc(s.Signed, func(name string) bool { return strings.EqualFold(name, "from") }):
		return "the From field is not signed"
	}
	if q, ok := t.values["q"]; ok && !slices.Contains(list(q), "dns/txt") {
		return "unknown way to the key"
	}
	return s.canonicalization(t.values["c"])
}

func (s *signature) canonicalization(c string) string {
	head, body, _ := strings.Cut(compact(c), "/")
	for _, value := range []string{head, body} {
		if value != "" && value != "simple" && value != "relaxed" {
			return "unknown canonicalization"
		}
	}
	s.relaxedHeader, s.relaxedBody = head == "relaxed", body == "relaxed"
	return ""
}

func (s *signature) times(t tags) string {
	for name, at := range map[string]*time.Time{"t": &s.Time, "x": &s.Expiration} {
		v, ok := t.values[name]
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(compact(v), 10, 40)
		if err != nil {
			return "malformed time"
		}
		*at = time.Unix(int64(n), 0).UTC()
	}
	if !s.Expiration.IsZero() && !s.Time.IsZero() && !s.Expiration.After(s.Time) {
		return "the signature expires before it is made"
	}
	return ""
}

// policy gives why a signature is not believed although it may be right, or "".
func (s *signature) policy(t tags, now time.Time) string {
	_, length := t.values["l"]
	switch {
	case s.Algorithm == "rsa-sha1":
		return "SHA-1 is too weak" // RFC 8301 3.1
	case s.Algorithm != RSA.Signature() && s.Algorithm != Ed25519.Signature():
		return "unknown algorithm"
	case length:
		return "the signature covers a part of the body only (l=)"
	case !s.Expiration.IsZero() && now.After(s.Expiration):
		return "the signature has expired"
	case s.Time.After(now.Add(clockSkew)):
		return "the signature is of the future"
	}
	return ""
}

// fetch looks the key up (RFC 6376 3.6.2).
func fetch(ctx context.Context, lookup LookupTXT, s *signature) (*record, error) {
	name := s.Selector + "._domainkey." + s.Domain
	if ascii, err := idna.Lookup.ToASCII(s.Domain); err == nil {
		name = s.Selector + "._domainkey." + ascii
	}
	texts, err := lookup(ctx, name)
	var de *net.DNSError
	if errors.As(err, &de) && de.IsNotFound {
		return nil, errors.New("no key in the DNS")
	}
	if err != nil {
		return nil, errLookup
	}
	return pickRecord(texts)
}

// judge decides about a signature whose tags are in order.
func (s *signature) judge(h header, bodySum []byte) {
	if s.key != nil {
		s.KeyBits, s.Testing = s.key.bits, s.key.testing
	}
	_, domain, _ := cutLast(s.Identifier, "@")
	switch {
	case errors.Is(s.keyErr, errLookup):
		s.is(ResultTempError, s.keyErr.Error())
	case s.keyErr != nil:
		s.is(ResultPermError, s.keyErr.Error())
	case s.key.algorithm.Signature() != s.Algorithm:
		s.is(ResultPermError, "the key is of another kind than the signature")
	case s.key.strict && !strings.EqualFold(domain, s.Domain):
		s.is(ResultPermError, "the key is not for subdomains")
	case s.key.rsa != nil && s.key.bits < minRSABits:
		s.is(ResultPolicy, "the key is too short ("+strconv.Itoa(s.key.bits)+" bits)")
	case subtle.ConstantTimeCompare(bodySum, s.bodySum) != 1:
		s.is(ResultFail, "the body was changed")
	case !s.key.verify(s.digest(h), s.value):
		s.is(ResultFail, "the signature does not fit")
	default:
		s.is(ResultPass, "")
	}
}

// digest is the hash that the signature signs (RFC 6376 3.7).
func (s *signature) digest(h header) []byte {
	sum := sha256.New()
	pick := h.picker()
	var buf []byte
	for _, name := range s.Signed {
		if i := pick.pick(strings.ToLower(name)); i >= 0 {
			buf = canonicalField(buf[:0], h[i].raw, s.relaxedHeader)
			sum.Write(buf)
		}
	}
	own := canonicalField(nil, withoutSignature(s.raw), s.relaxedHeader)
	sum.Write(bytes.TrimSuffix(own, []byte("\r\n")))
	return sum.Sum(nil)
}

func (r *record) verify(digest, value []byte) bool {
	if r.ed25519 != nil {
		return ed25519.Verify(r.ed25519, digest, value)
	}
	return rsa.VerifyPKCS1v15(r.rsa, crypto.SHA256, digest, value) == nil
}

func within(domain, parent string) bool {
	domain, parent = strings.ToLower(domain), strings.ToLower(parent)
	return domain == parent || strings.HasSuffix(domain, "."+parent)
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
