package dkim

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxInstances is the greatest i= of an ARC set (RFC 8617 4.2.1).
const MaxInstances = 50

// Chain is what became of the ARC sets of a message (RFC 8617). Every host that handles a message on its way can add a
// set: what it found about it (Authentication-Results), a signature of the message as it was then, and a seal over all
// the sets so far.
type Chain struct {
	// Result is none, pass, fail or, because a key could not be asked for just now, temperror.
	Result Result
	// Reason says why it is not a pass; it is fit for a header comment.
	Reason string
	// Sets are the sets by instance, the first at 0, as far as the structure is in order. Only a pass vouches for them.
	Sets []Set
}

// Set is one handler's share of a chain.
type Set struct {
	Instance int
	// Domain and Selector are the sealer's: d= and s= of its seal.
	Domain, Selector string
	// Status is cv=: what the sealer found of the chain before it.
	Status string
	// Results is what the sealer found about the message: an Authentication-Results value, authserv-id first, folds
	// included.
	Results string
}

// VerifyARC checks the ARC sets of a message (RFC 8617 5.2). The error is one of reading the message.
func VerifyARC(ctx context.Context, r io.ReaderAt, size int64, lookup LookupTXT, now time.Time) (Chain, error) {
	_, chain, err := examine(r, size, &examination{seals: newKeyring(ctx, Lookup{Source: lookup}), now: now})
	return chain, err
}

// chain is a Chain on its way to a result.
type chain struct {
	Chain
	sets    []arcSet
	newest  *signature // the message signature of the last set
	seals   []*signature
	highest int  // the greatest instance that any field names
	failed  bool // the last seal itself says cv=fail
}

// arcSet are the fields of one instance.
type arcSet struct{ results, message, seal []byte }

func newChain(c Chain) *chain { return &chain{Chain: c} }

func (c *chain) fail(reason string) {
	if c.Result == "" {
		c.Result, c.Reason = ResultFail, reason
	}
}

// chain collects the sets of a header and checks what needs no key.
func (h header) chain() *chain {
	c := &chain{}
	if !slices.ContainsFunc(h, func(f field) bool { return arcField(f.name) }) {
		c.Result = ResultNone
		return c
	}
	for _, f := range h {
		if arcField(f.name) {
			c.collect(f)
		}
	}
	if c.Result == "" {
		c.structure()
	}
	return c
}

func arcField(name string) bool {
	return name == "arc-seal" || name == "arc-message-signature" || name == "arc-authentication-results"
}

// collect puts a field into its set.
func (c *chain) collect(f field) {
	n := instance(f)
	if n == 0 {
		c.fail("malformed instance in " + f.name)
		return
	}
	c.highest = max(c.highest, n)
	for len(c.sets) < n {
		c.sets = append(c.sets, arcSet{})
	}
	set := &c.sets[n-1]
	into := map[string]*[]byte{"arc-seal": &set.seal, "arc-message-signature": &set.message, "arc-authentication-results": &set.results}[f.name]
	if *into != nil {
		c.fail("instance " + strconv.Itoa(n) + " has two fields of a kind")
		return
	}
	*into = f.raw
}

// instance is the i= of a field, 0 when it has none that counts.
func instance(f field) int {
	value := f.value()
	text := ""
	if f.name == "arc-authentication-results" {
		text, _ = cutInstance(value)
	} else if t, err := parseTags(value); err == nil {
		text = t.value("i")
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > MaxInstances || len(text) > 2 || text[0] == '0' || text[0] == '+' {
		return 0
	}
	return n
}

// cutInstance takes "i=1;" off the beginning of an ARC-Authentication-Results value (RFC 8617 4.1.1).
func cutInstance(value string) (number, rest string) {
	first, rest, ok := strings.Cut(value, ";")
	name, number, isTag := strings.Cut(first, "=")
	if !ok || !isTag || strings.Trim(name, " \t\r\n") != "i" {
		return "", ""
	}
	return strings.Trim(number, " \t\r\n"), strings.Trim(rest, " \t\r\n")
}

// structure holds the sets to the rules of RFC 8617 5.2, steps 2 and 3, and reads their tags.
func (c *chain) structure() {
	for i, set := range c.sets {
		if set.seal == nil || set.message == nil || set.results == nil {
			c.fail("instance " + strconv.Itoa(i+1) + " is not complete")
			return
		}
	}
	for i, set := range c.sets {
		seal, status := parseSeal(set.seal)
		_, results := cutInstance(field{raw: set.results}.value())
		c.Sets = append(c.Sets, Set{Instance: i + 1, Domain: strings.ToLower(seal.Domain), Selector: seal.Selector, Status: status, Results: results})
		c.seals = append(c.seals, seal)
	}
	if last := len(c.sets) - 1; c.Sets[last].Status == "fail" {
		c.failed = true
		c.fail("the chain was sealed as failed")
		return
	}
	for i, seal := range c.seals {
		number := strconv.Itoa(i + 1)
		switch status := c.Sets[i].Status; {
		case seal.done:
			c.fail("seal " + number + ": " + seal.Reason)
		case i == 0 && status != "none", i > 0 && status != "pass":
			c.fail("seal " + number + " has the wrong chain status")
		}
	}
	c.newest = parseMessageSignature(c.sets[len(c.sets)-1].message)
	if c.newest.done {
		c.fail("message signature " + strconv.Itoa(len(c.sets)) + ": " + c.newest.Reason)
	}
}

// parseMessageSignature reads an ARC-Message-Signature (RFC 8617 4.1.2): the tags of DKIM but for v= and i=.
func parseMessageSignature(raw []byte) *signature {
	s := &signature{raw: raw}
	t, err := parseTags(field{raw: raw}.value())
	s.readNames(t)
	if err != nil {
		s.stop(ResultPermError, err.Error())
		return s
	}
	problem := s.checkTags(t)
	if problem == "" {
		problem = s.times(t)
	}
	if problem != "" {
		s.stop(ResultPermError, problem)
		return s
	}
	_, length := t.get("l")
	switch {
	case s.Algorithm != RSA.Signature() && s.Algorithm != Ed25519.Signature():
		s.stop(ResultPolicy, "unknown algorithm")
	case length:
		s.stop(ResultPolicy, "it covers a part of the body only (l=)")
	case s.covers("arc-seal"):
		s.stop(ResultPermError, "it covers seals") // RFC 8617 4.1.2
	case !s.covers("from"):
		s.stop(ResultPermError, "the From field is not signed") // RFC 6376 5.4
	}
	return s
}

// parseSeal reads an ARC-Seal (RFC 8617 4.1.3) and its cv=.
func parseSeal(raw []byte) (s *signature, status string) {
	s = &signature{raw: raw}
	t, err := parseTags(field{raw: raw}.value())
	s.readNames(t)
	status = t.value("cv")
	if err != nil {
		s.stop(ResultPermError, err.Error())
		return s, status
	}
	if problem := s.times(t); problem != "" {
		s.stop(ResultPermError, problem)
	}
	_, signed := t.get("h")
	s.value, err = base64.StdEncoding.DecodeString(compact(t.value("b")))
	switch {
	case signed:
		s.stop(ResultPermError, "it has an h= tag")
	case !isDomain(s.Domain) || s.Selector == "" || !isLabels(s.Selector):
		s.stop(ResultPermError, "malformed domain or selector")
	case err != nil || len(s.value) == 0:
		s.stop(ResultPermError, "malformed signature")
	case s.Algorithm != RSA.Signature() && s.Algorithm != Ed25519.Signature():
		s.stop(ResultPolicy, "unknown algorithm")
	}
	return s, status
}

// ask starts looking for the keys and says how the body must be hashed.
func (c *chain) ask(keys *keyring, bodies *bodyHashes) {
	if c.Result != "" {
		return
	}
	c.newest.key = keys.ask(c.newest)
	for _, seal := range c.seals {
		seal.key = keys.ask(seal)
	}
	bodies.want(c.newest.form)
}

// judge tries the message signature of the newest set and then every seal from the newest on (RFC 8617 5.2, steps 4 to 6).
func (c *chain) judge(h header, bodies bodyHashes) {
	if c.Result != "" {
		return
	}
	key, result, reason := c.newest.usable()
	if result == "" {
		problem, extra := c.newest.compare(h, bodies.sum(c.newest.form), key)
		switch {
		case problem != "":
			result, reason = ResultFail, problem
		case extra != "":
			// The chain may speak for an author, and so must not for what was put before the author's words.
			result, reason = ResultFail, "another "+extra+" field was added"
		}
	}
	if result != "" {
		c.broken("message signature "+strconv.Itoa(len(c.sets)), result, reason)
		return
	}
	for i := len(c.seals) - 1; i >= 0; i-- {
		key, result, reason := c.seals[i].usable()
		if result == "" && !key.verify(crypto.SHA256, sealDigest(c.sets[:i], c.sets[i]), c.seals[i].value) {
			result, reason = ResultFail, "the signature does not fit"
		}
		if result != "" {
			c.broken("seal "+strconv.Itoa(i+1), result, reason)
			return
		}
	}
	c.Result = ResultPass
}

// broken ends the chain: only a key that could not be asked for leaves hope.
func (c *chain) broken(what string, result Result, reason string) {
	c.Result, c.Reason = ResultFail, what+": "+reason
	if result == ResultTempError {
		c.Result = ResultTempError
	}
}

// usable gives the key of a signature in an ARC set, or why it cannot be used.
func (s *signature) usable() (*record, Result, string) {
	key, err := s.key.wait()
	if key != nil {
		s.Identifier = "@" + s.Domain // for a key with t=s
	}
	if result, reason := s.keyProblem(key, err); result != "" {
		return nil, result, reason
	}
	if key.rsa != nil && key.bits < minRSABits {
		return nil, ResultPolicy, "the key is too short (" + strconv.Itoa(key.bits) + " bits)"
	}
	return key, "", ""
}

// sealDigest is what a seal signs: all sets up to its own in their order, itself last and without signature, each field in
// relaxed form (RFC 8617 5.1.1).
func sealDigest(before []arcSet, own arcSet) []byte {
	sum := sha256.New()
	var buf []byte
	for _, set := range before {
		for _, raw := range [][]byte{set.results, set.message, set.seal} {
			buf = relaxedField(buf[:0], raw)
			sum.Write(buf)
		}
	}
	for _, raw := range [][]byte{own.results, own.message} {
		buf = relaxedField(buf[:0], raw)
		sum.Write(buf)
	}
	buf = relaxedField(buf[:0], withoutSignature(own.seal))
	sum.Write(bytes.TrimSuffix(buf, []byte("\r\n")))
	return sum.Sum(nil)
}
