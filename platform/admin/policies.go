package admin

import (
	"time"

	"postern/internal/verdict"
	"postern/internal/verdict/archive"
)

// SpamPolicy is a scope with its thresholds: its own, absent where the next wider scope's hold, and those in force.
type SpamPolicy struct {
	Scope    string          `json:"scope" doc:"server, a domain or a user's address."`
	Tag      *verdict.Points `json:"tag,omitempty"`
	Junk     *verdict.Points `json:"junk,omitempty"`
	Reject   *verdict.Points `json:"reject,omitempty"`
	Greylist *verdict.Points `json:"greylist,omitempty"`
	InForce  Thresholds      `json:"in_force"`
}

// Thresholds are scores from which something is done; 0 never does it.
type Thresholds struct {
	Source   string         `json:"source" doc:"The narrowest scope that has any of its own."`
	Tag      verdict.Points `json:"tag"`
	Junk     verdict.Points `json:"junk"`
	Reject   verdict.Points `json:"reject"`
	Greylist verdict.Points `json:"greylist"`
}

// ThresholdChange says which of a scope's thresholds become different.
type ThresholdChange struct {
	Tag      *verdict.Points `json:"tag,omitempty"`
	Junk     *verdict.Points `json:"junk,omitempty"`
	Reject   *verdict.Points `json:"reject,omitempty"`
	Greylist *verdict.Points `json:"greylist,omitempty"`
}

// SenderEntry is a sender in the list of a scope.
type SenderEntry struct {
	Scope   string    `json:"scope,omitempty" doc:"server, a domain or a user's address; server when absent."`
	Kind    string    `json:"kind" doc:"allow or block."`
	Pattern string    `json:"pattern" doc:"An address, @example.com for the domain alone, or example.com with its subdomains."`
	Created time.Time `json:"created,omitzero"`
}

// SenderFilter chooses a list.
type SenderFilter struct {
	Kind  string `json:"kind" doc:"allow or block."`
	Scope string `json:"scope,omitempty" doc:"server, a domain or a user's address; all when absent."`
}

func spamPolicy(own archive.Own, policy verdict.Policy) SpamPolicy {
	return SpamPolicy{Scope: own.Name, Tag: own.Tag, Junk: own.Junk, Reject: own.Reject, Greylist: own.Greylist,
		InForce: Thresholds{policy.Source, policy.Tag, policy.Junk, policy.Reject, policy.Greylist}}
}

func (b *Backend) listSpamPolicies(request) ([]SpamPolicy, error) {
	list := []SpamPolicy{}
	for _, own := range b.Policies.Thresholds() {
		list = append(list, spamPolicy(b.Policies.InForce(own.Scope)))
	}
	return list, nil
}

func (b *Backend) getSpamPolicy(r request) (SpamPolicy, error) {
	scope, err := b.Policies.Scope(r.path("scope"))
	if err != nil {
		return SpamPolicy{}, err
	}
	return spamPolicy(b.Policies.InForce(scope)), nil
}

func (b *Backend) setSpamPolicy(r request, in ThresholdChange) (SpamPolicy, error) {
	scope, err := b.Policies.Scope(r.path("scope"))
	if err != nil {
		return SpamPolicy{}, err
	}
	if err := b.Policies.SetThresholds(r, scope, archive.Thresholds(in)); err != nil {
		return SpamPolicy{}, err
	}
	return b.getSpamPolicy(r)
}

func (b *Backend) resetSpamPolicy(r request) (SpamPolicy, error) {
	scope, err := b.Policies.Scope(r.path("scope"))
	if err != nil {
		return SpamPolicy{}, err
	}
	if err := b.Policies.ResetThresholds(r, scope); err != nil {
		return SpamPolicy{}, err
	}
	return b.getSpamPolicy(r)
}

// listKind refuses what is neither list.
func listKind(text string) (archive.Kind, error) {
	kind := archive.Kind(text)
	if kind != archive.Allow && kind != archive.Block {
		return "", invalid("write allow or block", "there is no list %q", text)
	}
	return kind, nil
}

func (b *Backend) listSenders(r request, in SenderFilter) ([]SenderEntry, error) {
	kind, err := listKind(in.Kind)
	if err != nil {
		return nil, err
	}
	var of *archive.Scope
	if in.Scope != "" {
		scope, err := b.Policies.Scope(in.Scope)
		if err != nil {
			return nil, err
		}
		of = &scope
	}
	entries, err := b.Policies.Senders(r, kind, of)
	list := make([]SenderEntry, len(entries))
	for i, e := range entries {
		list[i] = SenderEntry{e.Name, string(e.Kind), e.Pattern, e.Created}
	}
	return list, err
}

// changeSender adds to or removes from a list; it gives the entry as it is kept.
func (b *Backend) changeSender(in SenderEntry, change func(archive.Scope, string, archive.Kind) (string, error)) (SenderEntry, error) {
	kind, err := listKind(in.Kind)
	if err != nil {
		return SenderEntry{}, err
	}
	if !in.Created.IsZero() {
		return SenderEntry{}, invalid("leave it out", "created is not for the request to say")
	}
	scope, err := b.Policies.Scope(in.Scope)
	if err != nil {
		return SenderEntry{}, err
	}
	in.Pattern, err = change(scope, in.Pattern, kind)
	if in.Scope == "" {
		in.Scope = "server"
	}
	return in, err
}

func (b *Backend) addSender(r request, in SenderEntry) (SenderEntry, error) {
	return b.changeSender(in, func(s archive.Scope, pattern string, kind archive.Kind) (string, error) {
		return b.Policies.ListSender(r, s, pattern, kind)
	})
}

func (b *Backend) removeSender(r request, in SenderEntry) (SenderEntry, error) {
	return b.changeSender(in, func(s archive.Scope, pattern string, kind archive.Kind) (string, error) {
		return b.Policies.UnlistSender(r, s, pattern, kind)
	})
}
