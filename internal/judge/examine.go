package judge

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"postern/antispam"
	"postern/antispam/reputation"
	"postern/antispam/scanner"
	"postern/dnsbl"
	"postern/internal/address"
	"postern/internal/latectx"
	"postern/internal/mailauth"
	"postern/internal/oneline"
	"postern/internal/verdict"
)

// maxDomains bounds the domains of a message that lists are asked about.
const maxDomains = 15

// usualChecks is how many checks a message has, as a rule, and ownChecks a copy.
const (
	usualChecks = 12
	ownChecks   = 2
)

// inquiry is one message under examination.
type inquiry struct {
	*Judge
	a     *Arrival
	began time.Time
	ctx   latectx.Context
	// author is what stands first in From, and authors all in it that are addresses; first tells whether author is one.
	author  string
	authors []address.Address
	first   bool
	// standings is room for what is known of the sender.
	standings [maxKeys]reputation.Standing

	// running are those who read the message, or wait for others; nobody may do so when it is gone.
	running  sync.WaitGroup
	auth     func() (mailauth.Results, error)
	spam     chan scanned
	virus    chan scanned
	domains  func() dnsbl.DomainVerdict
	findings *antispam.Findings
	results  mailauth.Results
	checks   []verdict.Check
	claimed  string // the domain of ours that the claim is looked at for
	dmarc    demand
	// external: a configured scanner answered, and its verdict counts.
	external bool
	scanner  string
	wishes   scanner.Result
	// common is what the words say to those who taught nothing.
	common *verdict.Check
}

// scanned is what a scanner answered.
type scanned struct {
	result scanner.Result
	err    error
}

// Judge examines a message and decides for each recipient. The error is one of reading the message.
func (j *Judge) Judge(ctx context.Context, a *Arrival) (*Judgement, error) {
	i := &inquiry{Judge: j, a: a, began: j.Clock.Now(), checks: make([]verdict.Check, 0, usualChecks)}
	i.ctx.Start(ctx, 0)
	i.readAuthors()
	i.startWaiting(&i.ctx)
	defer i.running.Wait()
	defer i.ctx.Cancel()
	err := i.read(&i.ctx)
	if i.findings != nil {
		defer i.findings.Close()
	}
	if err == nil {
		err = i.gather()
	}
	if err != nil {
		return nil, err
	}
	keys := i.judgeSender(&i.ctx)
	t := i.trace()
	t.Recipients = slices.Grow(t.Recipients, len(a.Recipients))[:len(a.Recipients)]
	for n, r := range a.Recipients {
		i.recipient(&i.ctx, r, &t.Recipients[n])
	}
	i.greylist(&i.ctx, t)
	t.Decide()
	t.Micros = j.Clock.Now().Sub(i.began).Microseconds()
	return &Judgement{Trace: t, Auth: i.results, wishes: i.wishes, keys: keys, claimed: i.claimed, dmarc: i.dmarc}, nil
}

// startWaiting sends off all that waits for others. Each channel has room for its answer, so that nobody is left behind
// when the message turns out to be unreadable.
func (i *inquiry) startWaiting(ctx context.Context) {
	a := i.a
	i.auth = i.Auth.Begin(ctx, mailauth.Request{Client: a.Client, Helo: a.Helo, From: a.From, Header: a.Parsed.Header,
		Content: a.Content, Size: a.Size, TrustedSealers: i.TrustedSealers(), IPRev: i.Names})
	s := i.Scanners()
	i.spam, i.virus = i.scan(ctx, s.Spam), i.scan(ctx, s.Virus)
	if s.Spam != nil {
		i.scanner = s.Spam.Name()
	}
}

// scan asks a scanner; nil when there is none.
func (i *inquiry) scan(ctx context.Context, s scanner.Scanner) chan scanned {
	if s == nil {
		return nil
	}
	a := i.a
	m := scanner.Message{Content: a.Content, Size: a.Size, Received: a.Received, Client: a.Client, Helo: a.Helo, ID: a.ID, From: pathOf(a.From)}
	for _, r := range a.Recipients {
		m.Recipients = append(m.Recipients, r.Address.String())
	}
	answer := make(chan scanned, 1)
	i.running.Go(func() {
		r, err := s.Scan(ctx, m)
		answer <- scanned{r, err}
	})
	return answer
}

func pathOf(a address.Address) string {
	if a.IsZero() {
		return ""
	}
	return a.String()
}

// read has the built-in engine read the message, and lists of domains asked about what it links to. Where an external
// scanner is configured the engine is the understudy: it reads too, so that it can take over at once.
func (i *inquiry) read(ctx context.Context) error {
	a := i.a
	m := &antispam.Mail{Parsed: a.Parsed, Content: a.Content, At: i.began, From: a.From,
		Relay: &antispam.Relay{IP: a.Client, Helo: a.Helo}}
	m.Recipients = make([]address.Address, 0, len(a.Recipients))
	for _, r := range a.Recipients {
		m.Recipients = append(m.Recipients, r.Address)
	}
	var err error
	if i.findings, err = i.Engine.Examine(m); err != nil {
		return err
	}
	if domains := i.findings.Domains(maxDomains); len(domains) > 0 {
		i.domains = i.Domains.BeginDomains(ctx, domains)
	}
	return nil
}

// gather waits for the answers and makes checks of them.
func (i *inquiry) gather() error {
	var err error
	if i.results, err = i.auth(); err != nil {
		return err
	}
	i.dmarc = demandOf(i.results.DMARC, i.Policies)
	if i.dmarc.source != "" {
		i.results.DMARC.Local, i.results.DMARC.LocalWhy = i.dmarc.policy, i.dmarc.source
	}
	i.findings.Named(confirmedName(i.results.IPRev))
	if len(i.a.Claimed) > 0 {
		i.checks = append(i.checks, i.claim())
	}
	if i.virus != nil {
		out := <-i.virus
		i.checks = append(i.checks, scanner.CheckOf(out.result, out.err))
	}
	if i.spam != nil {
		out := <-i.spam
		i.external = out.err == nil
		i.checks = append(i.checks, scanner.CheckOf(out.result, out.err))
		i.wishes = out.result
	}
	i.checks = i.appendAuth(i.checks)
	i.checks = append(i.checks, dnsblCheck(i.a.Listed))
	began := i.Clock.Now()
	if i.domains != nil {
		c := uriblCheck(i.domains())
		began = i.took(&c, began)
		i.checks = append(i.checks, c)
	}
	if !i.external {
		c := i.findings.Rules()
		i.took(&c, began)
		i.checks = append(i.checks, c)
	}
	return nil
}

// confirmedName is the client's name if it leads back to the client, and whether that could be found out.
func confirmedName(r mailauth.IPRev) (name string, asked bool) {
	switch r.Status {
	case mailauth.Pass:
		return r.Name, true
	case mailauth.Fail, mailauth.PermError:
		return "", true
	}
	return "", false
}

// took notes how long a check took since it was begun, and gives the time, which is the start of the next.
func (i *inquiry) took(c *verdict.Check, began time.Time) time.Time {
	now := i.Clock.Now()
	c.Micros = now.Sub(began).Microseconds()
	return now
}

// trace begins the story.
func (i *inquiry) trace() *verdict.Trace {
	a := i.a
	t := &verdict.Trace{
		Version: verdict.TraceVersion, ID: a.ID, At: i.began, Client: a.Client.String(), Helo: clean(a.Helo), From: pathOf(a.From),
		Author: clean(i.author), MessageID: clean(a.Parsed.Envelope.MessageID), Size: a.Size, Engine: antispam.Version, Checks: i.checks,
	}
	if i.external {
		// The scanner's verdict is the verdict: what we found besides is told, and counts nothing.
		for n := range t.Checks {
			if name := t.Checks[n].Name; name != verdict.CheckScanner && name != verdict.CheckVirus {
				t.Checks[n].Points = 0
			}
		}
	}
	return t
}

// maxClean bounds what is taken into a trace from a stranger's text, in bytes.
const maxClean = 256

// clean keeps a stranger's text on one line of bounded length, in valid UTF-8.
func clean(s string) string {
	s = s[:min(len(s), maxClean)]
	if oneline.IsPlain(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
