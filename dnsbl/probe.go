package dnsbl

import (
	"context"
	"errors"
	"net/netip"
	"strings"
)

// Probe asks each zone for the test entries that every list of addresses has (RFC 5782 5): 127.0.0.2 is listed, 127.0.0.1 is
// not. It gives the zones that fail and why; none means that the lists work from here.
func (c *Checker) Probe(ctx context.Context) []ZoneError {
	listed, unlisted := reversed(netip.AddrFrom4([4]byte{127, 0, 0, 2})), reversed(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	return c.probe(ctx, func(Zone) (string, string) { return listed, unlisted })
}

// ProbeDomains is Probe for lists of domains: TEST is listed and INVALID is not (RFC 5782 5), and Spamhaus lists
// dbltest.com.
func (c *Checker) ProbeDomains(ctx context.Context) []ZoneError {
	return c.probe(ctx, func(z Zone) (string, string) {
		if z.isSpamhaus() && strings.HasPrefix(z.Name, "dbl.") {
			return "dbltest.com", "invalid"
		}
		return "test", "invalid"
	})
}

var (
	errNotListed = errors.New("its test entry is not listed")
	errListsAll  = errors.New("it lists what no list may list")
)

// Zones are the names of the lists that are asked now; none when nothing is.
func (c *Checker) Zones() []string {
	cfg := c.o.Config()
	if cfg.Disabled {
		return nil
	}
	var names []string
	for _, z := range cfg.Zones[:min(len(cfg.Zones), maxZones)] {
		names = append(names, z.Name)
	}
	return names
}

func (c *Checker) probe(ctx context.Context, entries func(Zone) (listed, unlisted string)) []ZoneError {
	cfg := c.o.Config()
	if cfg.Disabled {
		return nil
	}
	var bad []ZoneError
	for _, z := range cfg.Zones[:min(len(cfg.Zones), maxZones)] {
		listed, unlisted := entries(z)
		a := c.ask(ctx, z, cfg.DQSKey, listed)
		bad = append(bad, a.errors...)
		if len(a.errors) > 0 {
			continue
		}
		if len(a.listings) == 0 {
			bad = append(bad, ZoneError{Zone: z.Name, Problem: NotAList, Cause: errNotListed, setting: c.o.Setting})
		}
		if a := c.ask(ctx, z, cfg.DQSKey, unlisted); len(a.listings) > 0 {
			bad = append(bad, ZoneError{Zone: z.Name, Problem: NotAList, Code: a.listings[0].Code, Cause: errListsAll, setting: c.o.Setting})
		}
	}
	return bad
}

// Fix says what a zone's trouble is and what to do about it.
func (e ZoneError) Fix() string {
	if errors.Is(e.Cause, errNotListed) {
		return "The block list " + e.Zone + " does not list its own test entry: it may be dead, or the resolver answers for it. See its documentation, or remove it from " + e.setting + "."
	}
	return fix(e)
}
