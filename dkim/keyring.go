package dkim

import (
	"context"
	"errors"
	"net"

	"golang.org/x/net/idna"

	"postern/internal/address"
)

// keyring looks the keys of one message up, each once, all at the same time.
type keyring struct {
	ctx    context.Context
	lookup Lookup
	byName map[string]*pendingKey
}

func newKeyring(ctx context.Context, lookup Lookup) keyring {
	return keyring{ctx: ctx, lookup: lookup}
}

// pendingKey is a key that was asked for.
type pendingKey struct {
	done chan struct{} // nil: it is there
	key  *record
	err  error
}

// ask starts looking for the key of a signature, unless that was started before.
func (k *keyring) ask(s *signature) *pendingKey {
	name := aLabels(s.Selector) + "._domainkey." + aLabels(s.Domain)
	if p := k.byName[name]; p != nil {
		return p
	}
	p := &pendingKey{}
	if k.byName == nil {
		k.byName = make(map[string]*pendingKey)
	}
	k.byName[name] = p
	if texts, remembered, err := k.lookup.Source.Recall(k.ctx, name); remembered {
		p.key, p.err = k.read(texts, err)
		return p
	}
	p.done = make(chan struct{})
	go func() {
		defer close(p.done)
		p.key, p.err = k.read(k.lookup.Source.TXT(k.ctx, name))
	}()
	return p
}

// aLabels are labels as the DNS has them (RFC 8616 3); what cannot be put so stays, and is not found.
func aLabels(s string) string {
	if address.TooLong(s) {
		return s
	}
	if ascii, err := idna.Lookup.ToASCII(s); err == nil {
		return ascii
	}
	return s
}

// wait gives the key once it is there; its error is isTemporary or says what is wrong with the key.
func (p *pendingKey) wait() (*record, error) {
	if p.done != nil {
		<-p.done
	}
	return p.key, p.err
}

// errLookup: the DNS gave no answer; the key may be had later.
var errLookup = errors.New("the key could not be looked up")

func isTemporary(err error) bool { return errors.Is(err, errLookup) }

// read makes a key of what a lookup gave (RFC 6376 3.6.2).
func (k *keyring) read(texts []string, err error) (*record, error) {
	var de *net.DNSError
	switch {
	case errors.As(err, &de) && de.IsNotFound:
		return nil, errors.New("no key in the DNS")
	case errors.Is(err, ErrTooMany):
		return nil, ErrTooMany
	case err != nil:
		return nil, errLookup
	}
	return pickRecord(texts, k.lookup.Records)
}

// ErrTooMany is what a LookupTXT answers that will not look for any more keys of a message; it is no temporary failure.
var ErrTooMany = errors.New("too many keys are asked for")
