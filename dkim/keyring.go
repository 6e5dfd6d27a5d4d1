package dkim

import (
	"context"
	"errors"
	"net"

	"golang.org/x/net/idna"
)

// keyring looks the keys of one message up, each once, all at the same time.
type keyring struct {
	ctx    context.Context
	lookup LookupTXT
	byName map[string]*pendingKey
}

func newKeyring(ctx context.Context, lookup LookupTXT) *keyring {
	return &keyring{ctx: ctx, lookup: lookup, byName: make(map[string]*pendingKey)}
}

// pendingKey is a key that was asked for.
type pendingKey struct {
	done chan struct{}
	key  *record
	err  error
}

// ask starts looking for the key of a signature, unless that was started before.
func (k *keyring) ask(s *signature) *pendingKey {
	name := s.Selector + "._domainkey." + s.Domain
	if ascii, err := idna.Lookup.ToASCII(s.Domain); err == nil {
		name = s.Selector + "._domainkey." + ascii
	}
	if p := k.byName[name]; p != nil {
		return p
	}
	p := &pendingKey{done: make(chan struct{})}
	k.byName[name] = p
	go func() {
		defer close(p.done)
		p.key, p.err = k.fetch(name)
	}()
	return p
}

// wait gives the key once it is there; its error is isTemporary or says what is wrong with the key.
func (p *pendingKey) wait() (*record, error) {
	<-p.done
	return p.key, p.err
}

// errLookup: the DNS gave no answer; the key may be had later.
var errLookup = errors.New("the key could not be looked up")

func isTemporary(err error) bool { return errors.Is(err, errLookup) }

// fetch looks a key up (RFC 6376 3.6.2).
func (k *keyring) fetch(name string) (*record, error) {
	texts, err := k.lookup(k.ctx, name)
	var de *net.DNSError
	switch {
	case errors.As(err, &de) && de.IsNotFound:
		return nil, errors.New("no key in the DNS")
	case errors.Is(err, ErrTooMany):
		return nil, ErrTooMany
	case err != nil:
		return nil, errLookup
	}
	return pickRecord(texts)
}

// ErrTooMany is what a LookupTXT answers that will not look for any more keys of a message; it is no temporary failure.
var ErrTooMany = errors.New("too many keys are asked for")
