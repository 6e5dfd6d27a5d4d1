package judge

import (
	"context"
	"fmt"

	"postern/antispam/bayes"
	"postern/internal/address"
	"postern/internal/mailauth/dmarc"
	"postern/internal/verdict"
)

// everybody is the account that has what all accounts together taught.
const everybody = 0

// recipient finds what concerns one copy alone.
func (i *inquiry) recipient(ctx context.Context, r Recipient) verdict.Recipient {
	out := verdict.Recipient{Address: r.Address.String(), Account: r.Account, Policy: i.Policies.For(r.Account, r.Address)}
	if i.spam != nil {
		out.Policy.Scanner = i.scanner
	}
	out.Policy.DMARC, out.Policy.DMARCSource = i.dmarcPolicy()
	if !i.external {
		out.Checks = append(out.Checks, i.timed(func() verdict.Check { return i.words(ctx, r.Account) }))
	}
	if c, ok := i.senderCheck(ctx, r); ok {
		if i.external && c.Result == "correspondent" {
			c.Points = 0
		}
		out.Checks = append(out.Checks, c)
	}
	return out
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

// dmarcPolicy is what is to be done because of DMARC, and why it is not what the author's domain asks for.
func (i *inquiry) dmarcPolicy() (policy, source string) {
	d := i.results.DMARC
	if d.Disposition == "" || d.Disposition == dmarc.None {
		return "", ""
	}
	if d.Override != "" {
		return string(dmarc.None), d.Override
	}
	strictest, because := dmarc.None, ""
	for _, a := range d.Authors {
		asked, why := a.Disposition, ""
		if own, source, ok := i.Policies.DMARC(a.Domain); ok && asked != dmarc.None {
			asked, why = dmarc.Policy(own), source
		}
		if stricter := dmarc.Stricter(strictest, asked); stricter != strictest || because == "" {
			strictest, because = stricter, why
		}
	}
	if len(d.Authors) == 0 {
		strictest = d.Disposition
	}
	return string(strictest), because
}

// senderCheck tells what the recipient's lists say of the author, and whether the recipient writes to them. Both count for
// what they are worth only if the author is proven: anybody can write an address.
func (i *inquiry) senderCheck(ctx context.Context, r Recipient) (verdict.Check, bool) {
	c := verdict.Check{Name: verdict.CheckSender}
	author, ok := i.author()
	if !ok {
		return c, false
	}
	proven := i.proves(author.Domain)
	kind, scope, pattern := i.Policies.Sender(r.Account, r.Address, author)
	switch {
	case kind == "block":
		c.Result, c.Detail = "blocked", fmt.Sprintf("%s in the list of %s", pattern, scope)
		return c, true
	case kind == "allow" && proven:
		c.Result, c.Detail = "allowed", fmt.Sprintf("%s in the list of %s", pattern, scope)
		return c, true
	case kind == "allow":
		c.Result, c.Detail = "not proven", fmt.Sprintf("%s is in the list of %s, but neither SPF nor DKIM vouches for it", pattern, scope)
		return c, true
	}
	if r.Account == 0 {
		return c, false
	}
	known, err := i.Correspondents.Known(ctx, r.Account, author)
	if err != nil {
		i.Log.Warn("it could not be read whom an account writes to", "account", r.Account, "error", err)
	}
	if !known {
		return c, false
	}
	c.Result, c.Detail, c.Points = "correspondent", "the recipient writes to the author", verdict.P(-3)
	if !proven {
		c.Detail, c.Points = c.Detail+", who is not proven", verdict.P(-0.5)
	}
	return c, true
}

// author is the first address in From, as far as it is one.
func (i *inquiry) author() (address.Address, bool) {
	if len(i.a.Parsed.Envelope.From) == 0 {
		return address.Address{}, false
	}
	a, err := address.Parse(i.a.Parsed.Envelope.From[0].Address())
	return a, err == nil && a.Domain != ""
}

// greylist asks whether the sender must come again, where some recipient's policy has it and the score is in question.
func (i *inquiry) greylist(ctx context.Context, t *verdict.Trace) {
	if i.external {
		return
	}
	for n, r := range t.Recipients {
		score := verdict.Score(t.Checks, r.Checks)
		if r.Policy.Greylist <= 0 || score < r.Policy.Greylist {
			continue
		}
		c := verdict.Check{Name: verdict.CheckGreylist, Result: "pass"}
		if wait, ok := i.Greylist.Ask(ctx, i.a.Client, i.a.From, i.a.Recipients[n].Address); !ok {
			c.Result, c.Detail = "wait", fmt.Sprintf("%d s", int(wait.Seconds()))
		}
		t.Recipients[n].Checks = append(t.Recipients[n].Checks, c)
	}
}
