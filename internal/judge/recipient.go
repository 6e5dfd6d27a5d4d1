package judge

import (
	"context"
	"fmt"

	"postern/antispam/bayes"
	"postern/antispam/scanner"
	"postern/internal/address"
	"postern/internal/verdict"
)

// everybody is the account that has what all accounts together taught.
const everybody = 0

// recipient finds what concerns one copy alone.
func (i *inquiry) recipient(ctx context.Context, r Recipient, out *verdict.Recipient) {
	out.Address, out.Account, out.Policy = r.Address.String(), r.Account, i.Policies.For(r.Account, r.Address)
	if i.spam != nil {
		out.Policy.Scanner = i.scanner
	}
	out.Policy.DMARC, out.Policy.DMARCSource = string(i.dmarc.policy), i.dmarc.source
	if !i.external {
		began := i.Clock.Now()
		c := i.words(ctx, r.Account)
		i.took(&c, began)
		out.Checks = append(make([]verdict.Check, 0, ownChecks), c)
	}
	if c, ok := i.senderCheck(ctx, r); ok {
		if i.external && c.Result == "correspondent" {
			c.Points = 0
		}
		out.Checks = append(out.Checks, c)
	}
}

// words asks what the words say, to everybody and to this account. Accounts that taught nothing all have the same answer.
func (i *inquiry) words(ctx context.Context, account int64) verdict.Check {
	shared, own := i.model(ctx, everybody), bayes.Model(nil)
	if account != everybody {
		own = i.model(ctx, account)
	}
	if own != nil && own.Totals() != (bayes.Count{}) {
		return i.findings.Words(shared, own)
	}
	if i.common == nil {
		c := i.findings.Words(shared)
		i.common = &c
	}
	return *i.common
}

func (i *inquiry) model(ctx context.Context, account int64) bayes.Model {
	m, err := i.Models.Of(ctx, account)
	if err != nil {
		i.Log.Warn("what was taught could not be read", "account", account, "error", err)
		return nil
	}
	return m
}

// senderCheck tells what the recipient's lists say of the author, and whether the recipient writes to them. Both count for
// what they are worth only if the author is proven: anybody can write an address. Of several authors each can be blocked,
// and none is believed.
func (i *inquiry) senderCheck(ctx context.Context, r Recipient) (verdict.Check, bool) {
	c := verdict.Check{Name: verdict.CheckSender}
	authors := i.authors
	allowedBy := ""
	for _, author := range authors {
		kind, scope, pattern := i.Policies.Sender(r.Account, r.Address, author)
		switch kind {
		case "block":
			c.Result, c.Detail = "blocked", fmt.Sprintf("%s in the list of %s", pattern, scope)
			return c, true
		case "allow":
			allowedBy = fmt.Sprintf("%s in the list of %s", pattern, scope)
		}
	}
	switch {
	case len(authors) == 0:
		return c, false
	case allowedBy != "" && len(authors) > 1:
		c.Result, c.Detail = "not proven", fmt.Sprintf("%s, but the message has %d authors", allowedBy, len(authors))
		return c, true
	case allowedBy != "" && i.proves(authors[0].Domain):
		c.Result, c.Detail = "allowed", allowedBy
		return c, true
	case allowedBy != "":
		c.Result, c.Detail = "not proven", allowedBy+", but neither SPF nor DKIM vouches for it"
		return c, true
	case len(authors) > 1 || r.Account == 0:
		return c, false
	}
	return i.correspondent(ctx, r, authors[0])
}

// correspondent tells whether the recipient writes to the author.
func (i *inquiry) correspondent(ctx context.Context, r Recipient, author address.Address) (c verdict.Check, ok bool) {
	known, err := i.Correspondents.Known(ctx, r.Account, author)
	if err != nil {
		i.Log.Warn("it could not be read whom an account writes to", "account", r.Account, "error", err)
	}
	if !known {
		return c, false
	}
	c = verdict.Check{Name: verdict.CheckSender, Result: "correspondent", Detail: "the recipient writes to the author", Points: verdict.P(-3)}
	if !i.proves(author.Domain) {
		c.Detail, c.Points = c.Detail+", who is not proven", verdict.P(-0.5)
	}
	return c, true
}

// maxAuthors bounds the authors who are looked for in lists.
const maxAuthors = 50

// readAuthors reads the addresses in From.
func (i *inquiry) readAuthors() {
	from := i.a.Parsed.Envelope.From
	i.authors = make([]address.Address, 0, min(len(from), maxAuthors))
	for n := range from[:min(len(from), maxAuthors)] {
		text := from[n].Address()
		if n == 0 {
			i.author = text
		}
		if a, err := address.Parse(text); err == nil && a.Domain != "" {
			i.authors = append(i.authors, a)
			i.first = i.first || n == 0
		}
	}
}

// firstAuthor is the first address in From, as far as it is one.
func (i *inquiry) firstAuthor() (address.Address, bool) {
	if !i.first {
		return address.Address{}, false
	}
	return i.authors[0], true
}

// greylist asks whether the sender must come again, where some recipient's policy has it and the score is in question. A
// scanner that would have it so is not asked for more: it sees every message alike, and only we know who came again.
func (i *inquiry) greylist(ctx context.Context, t *verdict.Trace) {
	asked := i.external && i.wishes.Kind == scanner.Greylist
	if i.spam != nil && !asked {
		return
	}
	for n, r := range t.Recipients {
		score := verdict.Score(t.Checks, r.Checks)
		if r.Policy.Greylist <= 0 || score < r.Policy.Greylist && !asked {
			continue
		}
		c := verdict.Check{Name: verdict.CheckGreylist, Result: "pass"}
		if wait, ok := i.Greylist.Ask(ctx, i.a.Client, i.a.From, i.a.Recipients[n].Address); !ok {
			c.Result, c.Detail = "wait", fmt.Sprintf("%d s", int(wait.Seconds()))
		}
		t.Recipients[n].Checks = append(t.Recipients[n].Checks, c)
	}
}
