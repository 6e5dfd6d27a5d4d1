package judge

import (
	"context"
	"fmt"
	"strings"

	"postern/antispam/reputation"
	"postern/dkim"
	"postern/internal/mailauth"
	"postern/internal/verdict"
)

// weights are what a bad name of each kind is worth at most; a good one is worth goodShare of it. What a sender proved
// counts more than what it says of itself.
var weights = map[reputation.Kind]float64{
	reputation.AuthenticatedDomain: 2.0, reputation.Network: 1.5, reputation.EnvelopeDomain: 0.8, reputation.FromDomain: 0.8,
	reputation.Sender: 1.0, reputation.Helo: 0.5,
}

const (
	goodShare = 0.5
	// enough is how many messages make half of a reputation.
	enough = 8
	// worst and best bound the sum.
	worst, best = 3.0, -1.5
)

// judgeSender asks what is known of who sent the message, and gives the names that it will be counted under.
func (i *inquiry) judgeSender(ctx context.Context) []reputation.Key {
	keys := i.senderKeys()
	began := i.Clock.Now()
	c := verdict.Check{Name: verdict.CheckReputation, Result: "unknown"}
	standings := i.standings[:len(keys)]
	if err := i.Senders.Look(ctx, keys, standings); err != nil {
		c.Result = "unavailable"
		i.Log.Warn("reputations could not be read", "error", err)
	} else {
		i.weigh(&c, keys, standings)
	}
	i.took(&c, began)
	if i.external {
		c.Points = 0
	}
	i.checks = append(i.checks, c)
	return keys
}

// weigh adds up the reputations. Each is the share of spam among what is remembered, believed the more the more that is.
func (i *inquiry) weigh(c *verdict.Check, keys []reputation.Key, standings []reputation.Standing) {
	sum := 0.0
	for n, s := range standings {
		seen := s.Spam + s.Ham
		if seen < 0.5 {
			continue
		}
		share := s.Spam / seen
		points := weights[keys[n].Kind] * (2*share - 1) * seen / (seen + enough)
		if points < 0 {
			points *= goodShare
		}
		sum += points
		c.Parts = append(c.Parts, verdict.Part{Name: clean(keys[n].Name), Detail: fmt.Sprintf("%.1f spam, %.1f ham", s.Spam, s.Ham), Points: verdict.P(points)})
	}
	if len(c.Parts) == 0 {
		return
	}
	c.Points = verdict.P(max(min(sum, worst), best))
	switch {
	case c.Points > 0:
		c.Result = "bad"
	case c.Points < 0:
		c.Result = "good"
	default:
		c.Result = "even"
	}
}

// maxKeys is how many names a message can be counted under.
const maxKeys = 6

// senderKeys are the names under which the message is counted.
func (i *inquiry) senderKeys() []reputation.Key {
	networks := reputation.Networks(i.a.Client)
	keys := append(make([]reputation.Key, 0, maxKeys), networks[:]...)
	if d := i.provenDomain(); d != "" {
		keys = append(keys, reputation.Key{Kind: reputation.AuthenticatedDomain, Name: d})
		if author, ok := i.firstAuthor(); ok && i.proves(author.Domain) {
			keys = append(keys, reputation.SenderKey(author))
		}
		return keys
	}
	// An address literal is no domain, and all of them together are nobody.
	if d := mailauth.OrganizationalDomain(i.a.From.Domain); d != "" {
		keys = append(keys, reputation.Key{Kind: reputation.EnvelopeDomain, Name: d})
	}
	if author, ok := i.firstAuthor(); ok {
		if d := mailauth.OrganizationalDomain(author.Domain); d != "" {
			keys = append(keys, reputation.Key{Kind: reputation.FromDomain, Name: d})
		}
	}
	return append(keys, reputation.Key{Kind: reputation.Helo, Name: strings.ToLower(i.a.Helo)})
}

// provenDomain is the organization that answers for the message: the author's if it is proven, else the signer's, else that
// of the reverse-path.
func (i *inquiry) provenDomain() string {
	if author, ok := i.firstAuthor(); ok && i.proves(author.Domain) {
		return mailauth.OrganizationalDomain(author.Domain)
	}
	for _, s := range i.results.DKIM {
		if s.Result == dkim.ResultPass && !s.Testing {
			return mailauth.OrganizationalDomain(strings.ToLower(s.Domain))
		}
	}
	if i.results.SPF.Status == mailauth.Pass {
		return mailauth.OrganizationalDomain(i.results.SPF.Domain)
	}
	return ""
}

// proves reports whether the message is proven to come from a domain.
func (i *inquiry) proves(domain string) bool { return i.results.Aligned(domain) }

// Learn counts the message under its sender's names, as the verdict has it: what was junk for all as spam, what was
// wanted by all as ham, and nothing in between; for whoever signed it, the same message counts once. What somebody's list decided is that person's matter, and what DMARC decided
// says nothing of who sent the message on.
func (j *Judge) Learn(v *Judgement) {
	spam, ham := true, true
	for _, r := range v.Trace.Recipients {
		switch r.Verdict.Action {
		case verdict.Junk, verdict.Reject:
			ham = false
		case verdict.Inbox:
			spam = false
		default:
			spam, ham = false, false
		}
		if !isByContent(r) {
			spam, ham = false, false
		}
	}
	if spam != ham {
		j.Senders.Note(j.countable(v), spam)
	}
}

// isByContent: what the message is decided about a copy.
func isByContent(r verdict.Recipient) bool {
	for _, c := range r.Checks {
		if c.Name == verdict.CheckSender && (c.Result == "allowed" || c.Result == "blocked") {
			return false
		}
	}
	return !isByDMARC(r.Verdict) && !strings.HasPrefix(r.Verdict.Rule, "claim: ")
}
