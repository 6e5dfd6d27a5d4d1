package dkim

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxSignatures is how many signatures of a message are looked at, the topmost.
const MaxSignatures = 10

// clockSkew is by how much another's clock may be ahead of ours.
const clockSkew = 15 * time.Minute

// Verify checks the signatures of a message, the topmost first, at most MaxSignatures: none gives an empty list. The
// error is one of reading the message, or ErrHeaderTooBig; what is wrong with a signature is in its Verification. The
// keys are looked up at the same time while the body is read, once.
func Verify(ctx context.Context, r io.ReaderAt, size int64, lookup LookupTXT, now time.Time) ([]Verification, error) {
	list, _, err := examine(r, size, &examination{signatures: newKeyring(ctx, Lookup{Source: lookup}), now: now})
	return list, err
}

// VerifyAll is Verify and VerifyARC in one reading of the message. The keys of signatures and of seals are asked for by
// two lookups, so that the one cannot use up what the other may ask.
func VerifyAll(ctx context.Context, r io.ReaderAt, size int64, signatures, seals Lookup, now time.Time) ([]Verification, Chain, error) {
	return examine(r, size, &examination{signatures: newKeyring(ctx, signatures), seals: newKeyring(ctx, seals), now: now})
}

// examination is what one reading of a message looks for; a keyring without a source leaves its part out.
type examination struct {
	signatures, seals keyring
	now               time.Time
}

func examine(r io.ReaderAt, size int64, x *examination) ([]Verification, Chain, error) {
	br := readers.Get().(*reader)
	defer br.release()
	br.begin(r, size)
	text := headers.Get().(*headerText)
	defer text.release()
	if err := text.read(br.Reader); err != nil {
		return nil, Chain{}, err
	}
	if !text.isSigned() {
		return nil, Chain{Result: ResultNone}, nil
	}
	return x.verify(text.fields(), br)
}

// verify goes on behind the header.
func (x *examination) verify(h header, body io.Reader) ([]Verification, Chain, error) {
	var all []*signature
	if x.signatures.lookup.Source != nil {
		all = h.signatures(x.now)
	}
	var bodies bodyHashes
	for _, s := range all {
		if !s.done {
			s.key = x.signatures.ask(s)
			bodies.want(s.form)
		}
	}
	chain := newChain(Chain{Result: ResultNone})
	if x.seals.lookup.Source != nil {
		chain = h.chain()
		chain.ask(&x.seals, &bodies)
	}
	if len(bodies) > 0 {
		if err := copyBody(body, bodies.list()); err != nil {
			return nil, Chain{}, err
		}
	}
	bodies.end()
	list := make([]Verification, 0, len(all))
	for _, s := range all {
		if !s.done {
			s.judge(h, bodies)
		}
		list = append(list, s.Verification)
	}
	chain.judge(h, bodies)
	return list, chain.Chain, nil
}

// bodyForm is a way to hash a body.
type bodyForm struct{ relaxed, sha1 bool }

func (f bodyForm) hash() hash.Hash {
	if f.sha1 {
		return sha1.New()
	}
	return sha256.New()
}

func (f bodyForm) kind() crypto.Hash {
	if f.sha1 {
		return crypto.SHA1
	}
	return crypto.SHA256
}

// bodyHashes are the hashes that a body is read into, each form once.
type bodyHashes []formHash

type formHash struct {
	form bodyForm
	hash *bodyHash
	sum  []byte // once the body has ended
}

func (b *bodyHashes) want(f bodyForm) {
	for _, h := range *b {
		if h.form == f {
			return
		}
	}
	*b = append(*b, formHash{form: f, hash: newBodyHash(f.hash(), f.relaxed)})
}

func (b bodyHashes) list() []*bodyHash {
	list := make([]*bodyHash, 0, len(b))
	for _, h := range b {
		list = append(list, h.hash)
	}
	return list
}

func (b bodyHashes) end() {
	for i := range b {
		b[i].sum = b[i].hash.Sum()
	}
}

func (b bodyHashes) sum(f bodyForm) []byte {
	for _, h := range b {
		if h.form == f {
			return h.sum
		}
	}
	return nil
}

// signature is a DKIM-Signature or ARC-Message-Signature field on its way to a result.
type signature struct {
	Verification
	done bool // the result stands

	raw            []byte
	bodySum, value []byte
	relaxedHeader  bool
	form           bodyForm
	key            *pendingKey
}

// stop refuses a signature and looks no further into it.
func (s *signature) stop(r Result, reason string) {
	s.refuse(r, reason)
	s.done = true
}

// refuse sets the result, whatever the bytes turn out to be; the first reason stands.
func (s *signature) refuse(r Result, reason string) {
	if s.Result == "" {
		s.Result, s.Reason = r, reason
	}
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
	s.readNames(t)
	s.Identifier = "@" + s.Domain
	if i, ok := t.get("i"); ok {
		s.Identifier = decodeQP(compact(i))
	}
	if err != nil {
		s.stop(ResultPermError, "malformed signature: "+err.Error())
		return
	}
	if v := t.value("v"); v == "" {
		s.refuse(ResultPermError, "malformed signature: no v= tag")
	} else if v != "1" {
		s.refuse(ResultPermError, "unknown version of DKIM")
	}
	problem := s.checkTags(t)
	if problem == "" {
		problem = s.checkIdentifier()
	}
	if problem == "" {
		problem = s.times(t)
	}
	if problem != "" {
		s.stop(ResultPermError, problem)
		return
	}
	s.policy(t, now)
}

// readNames takes what names the signature, as far as it is there.
func (s *signature) readNames(t tags) {
	s.Domain, s.Selector, s.Algorithm = compact(t.value("d")), compact(t.value("s")), compact(t.value("a"))
	b := compact(t.value("b"))
	s.SignaturePrefix = b[:min(len(b), 8)]
}

// checkTags gives what is wrong with the tags that every kind of signature has, or "".
func (s *signature) checkTags(t tags) string {
	for _, name := range [...]string{"a", "b", "bh", "d", "h", "s"} {
		if _, ok := t.get(name); !ok {
			return "malformed signature: no " + name + "= tag"
		}
	}
	s.Signed = list(t.value("h"))
	var err1, err2 error
	s.bodySum, err1 = base64.StdEncoding.DecodeString(compact(t.value("bh")))
	s.value, err2 = base64.StdEncoding.DecodeString(compact(t.value("b")))
	switch {
	case !isDomain(s.Domain) || s.Selector == "" || !isLabels(s.Selector):
		return "malformed domain or selector"
	case err1 != nil || err2 != nil || len(s.bodySum) == 0 || len(s.value) == 0:
		return "malformed hash or signature"
	case len(s.Signed) > 1000:
		return "too many header fields are named"
	}
	if q, ok := t.get("q"); ok && !slices.Contains(list(q), "dns/txt") {
		return "unknown way to the key"
	}
	s.form.sha1 = s.Algorithm == "rsa-sha1"
	return s.canonicalization(t)
}

// checkIdentifier holds i= to the signing domain (RFC 6376 6.1.1), and the signature to the author.
func (s *signature) checkIdentifier() string {
	local, domain, hasAt := cutLast(s.Identifier, "@")
	switch {
	case !hasAt || len(local) > 256 || !within(domain, s.Domain):
		return "the identifier is not of the signing domain"
	case !s.covers("from"):
		return "the From field is not signed"
	}
	return ""
}

func (s *signature) covers(field string) bool {
	return slices.ContainsFunc(s.Signed, func(name string) bool { return strings.EqualFold(name, field) })
}

func (s *signature) canonicalization(t tags) string {
	c, ok := t.get("c")
	if !ok {
		return "" // RFC 6376 3.5: simple/simple
	}
	head, body, both := strings.Cut(compact(c), "/")
	if !both {
		body = "simple"
	}
	for _, value := range []string{head, body} {
		if value != "simple" && value != "relaxed" {
			return "unknown canonicalization"
		}
	}
	s.relaxedHeader, s.form.relaxed = head == "relaxed", body == "relaxed"
	return ""
}

func (s *signature) times(t tags) string {
	if !readTime(&s.Time, t, "t") || !readTime(&s.Expiration, t, "x") {
		return "malformed time"
	}
	if !s.Expiration.IsZero() && !s.Time.IsZero() && !s.Expiration.After(s.Time) {
		return "the signature expires before it is made"
	}
	return ""
}

// readTime reads the time in a tag, if it is there, and reports whether it can be read.
func readTime(at *time.Time, t tags, name string) bool {
	v, ok := t.get(name)
	if !ok {
		return true
	}
	n, err := strconv.ParseUint(compact(v), 10, 40)
	if err == nil {
		*at = time.Unix(int64(n), 0).UTC()
	}
	return err == nil
}

// policy refuses a signature that is not to be believed although it may be right.
func (s *signature) policy(t tags, now time.Time) {
	_, length := t.get("l")
	switch {
	case s.Algorithm != "rsa-sha1" && s.Algorithm != RSA.Signature() && s.Algorithm != Ed25519.Signature():
		s.stop(ResultPolicy, "unknown algorithm")
	case length:
		s.stop(ResultPolicy, "the signature covers a part of the body only (l=)")
	case s.form.sha1:
		s.refuse(ResultPolicy, "SHA-1 is too weak") // RFC 8301 3.1
	case !s.Expiration.IsZero() && now.After(s.Expiration):
		s.refuse(ResultPolicy, "the signature has expired")
	case s.Time.After(now.Add(clockSkew)):
		s.refuse(ResultPolicy, "the signature is of the future")
	}
}

// judge decides about a signature whose tags are in order.
func (s *signature) judge(h header, bodies bodyHashes) {
	key, err := s.key.wait()
	if key != nil {
		s.KeyBits, s.Testing = key.bits, key.testing
	}
	if result, reason := s.keyProblem(key, err); result != "" {
		s.refuse(result, reason)
		return
	}
	if key.rsa != nil && key.bits < minRSABits {
		s.refuse(ResultPolicy, "the key is too short ("+strconv.Itoa(key.bits)+" bits)") // RFC 8301 3.2
	}
	problem, extra := s.compare(h, bodies.sum(s.form), key)
	s.Intact = problem == ""
	switch {
	case !s.Intact:
		s.refuse(ResultFail, problem)
	case extra != "":
		s.refuse(ResultPolicy, "another "+extra+" field was added")
	default:
		s.refuse(ResultPass, "")
	}
}

// keyProblem gives the result that follows from the key alone, "" when it can be used.
func (s *signature) keyProblem(key *record, err error) (Result, string) {
	_, domain, _ := cutLast(s.Identifier, "@")
	hash := "sha256"
	if s.form.sha1 {
		hash = "sha1"
	}
	switch {
	case isTemporary(err):
		return ResultTempError, err.Error()
	case err != nil:
		return ResultPermError, err.Error()
	case key.hashes != nil && !slices.Contains(key.hashes, hash):
		return ResultPermError, "the key is not for " + strings.ToUpper(hash)
	case !strings.HasPrefix(s.Algorithm, string(key.algorithm)+"-"):
		return ResultPermError, "the key is of another kind than the signature"
	case key.strict && !strings.EqualFold(aLabels(domain), aLabels(s.Domain)):
		return ResultPermError, "the key is not for subdomains"
	}
	return "", ""
}

// compare tells how the bytes differ from what was signed, "" if they do not; extra is the name of a field that may stand
// once only, is signed, and stands there once more.
func (s *signature) compare(h header, bodySum []byte, key *record) (problem, extra string) {
	if subtle.ConstantTimeCompare(bodySum, s.bodySum) != 1 {
		return "the body was changed", ""
	}
	digest, extra := s.digest(h)
	if !key.verify(s.form.kind(), digest, s.value) {
		return "the signature does not fit", ""
	}
	return "", extra
}

// singles are the fields that occur once, and that a reader sees or that decide how the body is read. A signature counts
// them from below (RFC 6376 5.4.2), so that another one above would be shown as if it were signed (8.15).
var singles = [...]string{"from", "subject", "date", "to", "reply-to", "content-type", "content-transfer-encoding"}

// digest is the hash that the signature signs (RFC 6376 3.7).
func (s *signature) digest(h header) (sum []byte, extra string) {
	hash := s.form.hash()
	pick := h.picker()
	var picked [len(singles)]bool
	buf := make([]byte, 0, len(s.raw)+512)
	for _, name := range s.Signed {
		name = lowerName(name)
		if i := pick.pick(name); i >= 0 {
			if single := slices.Index(singles[:], name); single >= 0 {
				picked[single] = true
			}
			buf = canonicalField(buf[:0], h[i].raw, s.relaxedHeader)
			hash.Write(buf)
		}
	}
	for i, name := range singles {
		if picked[i] && pick.hasMore(name) {
			extra = name
			break
		}
	}
	buf = canonicalField(buf[:0], withoutSignature(s.raw), s.relaxedHeader)
	hash.Write(bytes.TrimSuffix(buf, []byte("\r\n")))
	return hash.Sum(nil), extra
}

// within reports whether a domain is another one or below it, in whatever spelling each is (RFC 8616 5).
func within(domain, parent string) bool {
	domain, parent = strings.ToLower(aLabels(domain)), strings.ToLower(aLabels(parent))
	return domain == parent || strings.HasSuffix(domain, "."+parent)
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
