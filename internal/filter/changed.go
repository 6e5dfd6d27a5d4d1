package filter

import (
	"context"
	"crypto/sha256"
	"errors"

	"postern/internal/scripts"
)

// WatchesMailboxes reports, from memory, whether administrators' scripts are run for what is done in the mailboxes of accounts
// whose own address is in domain.
func (f *Filters) WatchesMailboxes(domain string) bool {
	return f.Scripts.HasActive(scripts.Owner{Role: scripts.Changed}) || f.Scripts.HasActive(scripts.Owner{Domain: domain, Role: scripts.Changed})
}

// ForChange gathers what is run for what was done with a message in a mailbox (RFC 6785): the administrators' scripts for that, and
// the account's own of a name, which the mailbox has; "" is none, and so is a name that no script has (RFC 6785 2.3.1). It is nil
// where there is nothing to run.
func (f *Filters) ForChange(ctx context.Context, account int64, domain, name string) (*Plan, error) {
	p, err := f.gather(ctx, account, domain, scripts.Owner{Role: scripts.Changed}, scripts.Owner{Domain: domain, Role: scripts.Changed})
	if err != nil || name == "" {
		return p, err
	}
	own := scripts.Of(account)
	s, err := f.Scripts.Get(ctx, own, name)
	damaged := errors.Is(err, scripts.ErrDamaged)
	switch {
	case errors.Is(err, scripts.ErrNotFound), errors.Is(err, scripts.ErrName):
		return p, nil
	case err != nil && !damaged:
		return nil, err
	}
	one := part{owner: own, name: name, label: name, version: sha256.Sum256(s.Content), err: err}
	if err := f.load(ctx, &one, domain, s.Content); err != nil {
		return nil, err
	}
	if p == nil {
		p = &Plan{filters: f, account: account}
	}
	p.parts = append(p.parts, one)
	return p, nil
}
