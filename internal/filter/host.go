package filter

import (
	"context"
	"errors"
	"time"

	"postern/internal/store"
	"postern/internal/verdict"
)

// host answers scripts for one copy; it is sieve.Host.
type host struct {
	*Filters
	account int64
	mail    *Mail
}

func (h *host) Now() time.Time { return h.Clock.Now() }

// Item is an item of the environment (RFC 5183 4.1).
func (h *host) Item(name string) (string, bool) {
	value := ""
	switch name {
	case "domain":
		value = h.mail.Domain
	case "host":
		value = h.Hostname
	case "location":
		value = "MTA"
	case "phase":
		value = "during"
	case "name":
		value = "Postern"
	case "version":
		value = h.Version
	case "remote-ip":
		value = h.mail.ClientIP
	case "remote-host":
		value = h.mail.ClientName
	}
	return value, value != ""
}

func (h *host) HasMailbox(ctx context.Context, name string) (bool, error) {
	m, err := h.Store.Account(store.AccountID(h.account)).Mailbox(ctx, name)
	if errors.Is(err, store.ErrNoMailbox) {
		return false, nil
	}
	return err == nil && !m.NoSelect, err
}

func (h *host) SpecialUse(ctx context.Context, use string) (names []string, err error) {
	all, err := h.Store.Account(store.AccountID(h.account)).Mailboxes(ctx)
	for _, m := range all {
		if store.HasRole(m.SpecialUse, use) {
			names = append(names, m.Name)
		}
	}
	return names, err
}

// Metadata is an annotation; a mailbox that is not there has none (RFC 5490 4.1). Those of the server are the account's own.
func (h *host) Metadata(ctx context.Context, mailbox, entry string) (string, bool, error) {
	value, ok, err := h.Store.Account(store.AccountID(h.account)).Annotation(ctx, mailbox, entry)
	if errors.Is(err, store.ErrNoMailbox) {
		return "", false, nil
	}
	return string(value), ok, err
}

func (h *host) Addresses() []string { return h.Filters.Addresses(h.account) }

func (h *host) Owns(ctx context.Context, address string) (bool, error) {
	return h.Filters.Owns(ctx, h.account, address)
}

func (h *host) Duplicate(ctx context.Context, key string) (bool, error) {
	return h.Remembers(ctx, h.account, SightingMark(key))
}

// SightingMark is what a message that the duplicate test asked for is remembered by, ReplyMark a sender that was answered.
func SightingMark(key string) Mark { return markOf("duplicate", key) }

// ReplyMark is for the handle of a vacation and the address that it answers.
func ReplyMark(handle, to string) Mark { return markOf("vacation", handle, to) }

// Spam puts the score on the scale of RFC 5235, so that half of it is where mail goes to Junk by the policy in force: percent
// 50 and score 5 from there on, 100 and 10 at twice that. What the policy decided otherwise, since the recipient's lists say so
// or a scanner, is on the side that it decided.
func (h *host) Spam() (score, percent int, tested bool) {
	r := h.mail.Verdict
	if r == nil {
		return 0, 0, false
	}
	junk := r.Policy.Junk
	if junk <= 0 {
		junk = verdict.P(5)
	}
	percent = int(min(max(r.Verdict.Score*50/junk, 0), 100))
	if r.Verdict.Action == verdict.Junk || r.Verdict.Action == verdict.Reject {
		percent = max(percent, 50)
		return 5 + (percent-50)/10, percent, true
	}
	percent = min(percent, 49)
	return 1 + percent*4/50, percent, true
}

// Virus is 1 where a scanner found none, 5 where it found one (RFC 5235 3.3).
func (h *host) Virus() int {
	for _, c := range h.mail.Checks {
		switch {
		case c.Name != verdict.CheckVirus:
		case c.Result == "infected":
			return 5
		case c.Result == "clean":
			return 1
		}
	}
	return 0
}
