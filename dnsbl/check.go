package dnsbl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"postern/internal/clock"
	"postern/internal/resolver"
)

const (
	// restAfter is how many failures in a row send a zone to rest, so that not every client waits for a dead list.
	restAfter = 3
	// restFor is how long a resting zone is not asked.
	restFor = time.Minute
	// alertAgain is when the same problem of the same zone is told again.
	alertAgain = time.Hour
	// maxZones bounds the questions for one client.
	maxZones = 20
)

// Checker asks the lists. Its methods may be called concurrently.
type Checker struct {
	o Options

	mu     sync.Mutex
	health map[string]*health
	told   map[string]time.Time
}

// health counts a zone's failures in a row.
type health struct {
	failures int
	rest     time.Time
}

// New makes a checker.
func New(o Options) *Checker {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Alert == nil {
		o.Alert = func(Alert) {}
	}
	if o.Setting == "" {
		o.Setting = "dnsbl.zones"
	}
	return &Checker{o: o, health: make(map[string]*health), told: make(map[string]time.Time)}
}

// Check asks all zones at once about a client's address. It never fails: a zone that cannot tell is in Errors.
func (c *Checker) Check(ctx context.Context, ip netip.Addr) Verdict {
	cfg := c.o.Config()
	ip = ip.Unmap().WithZone("")
	if cfg.Disabled || allowed(cfg, ip) {
		return Verdict{Allowed: true}
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Threshold <= 0 {
		cfg.Threshold = 1
	}
	zones := cfg.Zones[:min(len(cfg.Zones), maxZones)]
	answers := make([]zoneAnswer, len(zones))
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	var asking sync.WaitGroup
	for i, z := range zones {
		asking.Go(func() { answers[i] = c.ask(ctx, z, cfg.DQSKey, reversed(ip)) })
	}
	asking.Wait()
	return c.judge(cfg, ip, answers)
}

// allowed reports whether the address is not to be asked about: our own allow-list, or an address that means something
// else on every network and so can be on no list. Loopback is asked about, since the test entries are there (RFC 5782 5).
func allowed(cfg Config, ip netip.Addr) bool {
	if !ip.IsValid() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() {
		return true
	}
	for _, p := range cfg.Allow {
		if p.Contains(ip) || (p.Addr().Is4In6() && p.Contains(netip.AddrFrom16(ip.As16()))) {
			return true
		}
	}
	return false
}

type zoneAnswer struct {
	listings []Listing
	errors   []ZoneError
}

// judge adds up what the zones said.
func (c *Checker) judge(cfg Config, ip netip.Addr, answers []zoneAnswer) Verdict {
	var v Verdict
	var best Listing
	for _, a := range answers {
		v.Listings = append(v.Listings, a.listings...)
		v.Errors = append(v.Errors, a.errors...)
		// The codes of one zone are one opinion: its weight counts once.
		if len(a.listings) > 0 {
			v.Score += a.listings[0].Weight
			if a.listings[0].Weight > best.Weight {
				best = a.listings[0]
			}
		}
	}
	if best.Zone == "" {
		return v
	}
	v.Listed = v.Score >= cfg.Threshold
	v.Zone, v.Code = best.Zone, best.Code
	v.Reason = reason(best, ip)
	return v
}

func reason(l Listing, ip netip.Addr) string {
	text := fmt.Sprintf("Client %s is listed by %s (%s", ip, l.Zone, l.Code)
	if l.Meaning != "" {
		text += ", " + l.Meaning
	}
	text += ")"
	if (Zone{Name: l.Zone}).isSpamhaus() {
		text += fmt.Sprintf("; see https://check.spamhaus.org/query/ip/%s", ip)
	}
	return text
}

// ask asks one zone about a name, which is an address reversed or a domain. A zone that rests is passed over without a
// question.
func (c *Checker) ask(ctx context.Context, z Zone, key, name string) zoneAnswer {
	if c.resting(z) {
		return zoneAnswer{errors: []ZoneError{{Zone: z.Name, Problem: NoAnswer, Cause: errResting}}}
	}
	answer, err := c.o.Resolver.LookupA(ctx, name+"."+z.queryZone(key))
	return c.hear(ctx, z, answer, err)
}

// recall answers as ask does where that need not wait.
func (c *Checker) recall(ctx context.Context, z Zone, key, name string) (a zoneAnswer, remembered bool) {
	memory, ok := c.o.Resolver.(remembering)
	if !ok || c.resting(z) {
		return zoneAnswer{}, false
	}
	answer, err := memory.Memory().LookupA(ctx, name+"."+z.queryZone(key))
	if err == resolver.ErrNotRemembered {
		return zoneAnswer{}, false
	}
	return c.hear(ctx, z, answer, err), true
}

// remembering is a resolver that can tell without waiting what it remembers; *resolver.Resolver is one.
type remembering interface {
	Memory() resolver.Memory
}

// hear notes what a zone answered, or that it did not.
func (c *Checker) hear(ctx context.Context, z Zone, answer resolver.Answer[netip.Addr], err error) zoneAnswer {
	if resolver.IsNotFound(err) {
		c.answered(z)
		return zoneAnswer{}
	}
	if err != nil {
		if errors.Is(context.Cause(ctx), context.Canceled) {
			// The client has gone; that says nothing about the list.
			return zoneAnswer{errors: []ZoneError{{Zone: z.Name, Problem: NoAnswer, Cause: context.Canceled}}}
		}
		c.failed(z)
		return zoneAnswer{errors: []ZoneError{c.report(ZoneError{Zone: z.Name, Problem: NoAnswer, Cause: kindOf(err)})}}
	}
	c.answered(z)
	return c.read(z, answer.Values)
}

var errResting = errors.New("the list did not answer lately and rests for a minute")

// kindOf says what kept the answer away, without the question: with a DQS key that is a secret.
func kindOf(err error) error {
	var timeout interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout()) {
		return errors.New("timed out")
	}
	return errors.New("the DNS server failed to answer (SERVFAIL or the like)")
}

// read turns the answers of a zone into listings. One answer that means an error spoils the others: a resolver that makes
// answers up, or a list that refuses us, is not believed at all.
func (c *Checker) read(z Zone, answers []netip.Addr) zoneAnswer {
	var out zoneAnswer
	for _, a := range answers {
		if problem, bad := neverListed(a); bad {
			e := c.report(ZoneError{Zone: z.Name, Problem: problem, Code: a.String()})
			return zoneAnswer{errors: []ZoneError{e}}
		}
		if codes, ok := z.find(a); ok {
			out.listings = append(out.listings, Listing{z.Name, a.String(), codes.Meaning, z.weight() * codes.factor()})
		} else {
			out.errors = append(out.errors, ZoneError{Zone: z.Name, Problem: Unknown, Code: a.String()})
		}
	}
	return out
}

func (c *Checker) resting(z Zone) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.health[z.Name]
	return h != nil && c.o.Clock.Now().Before(h.rest)
}

func (c *Checker) answered(z Zone) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.health) > 0 {
		delete(c.health, z.Name)
	}
}

func (c *Checker) failed(z Zone) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.health[z.Name]
	if h == nil {
		h = &health{}
		c.health[z.Name] = h
	}
	// After a rest one more failure is enough for the next.
	if h.failures++; h.failures >= restAfter {
		h.rest = c.o.Clock.Now().Add(restFor)
	}
}
