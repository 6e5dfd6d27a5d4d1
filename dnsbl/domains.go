package dnsbl

import (
	"context"
	"strings"
	"sync"
	"time"

	"postern/internal/latectx"
)

// maxDomains bounds the domains of one message that are asked about.
const maxDomains = 20

// DomainVerdict is what lists of domains say about those that a message leads to.
type DomainVerdict struct {
	// Listings name the domains that are listed, each with the zone's answer. The codes of one zone for one domain are one
	// opinion: the first stands here.
	Listings []DomainListing
	// Score is the largest sum of weights that one domain has.
	Score float64
	// Asked is the number of domains that were asked about.
	Asked int
	// Errors are the zones that gave no usable answer, each problem once. They never make a listing.
	Errors []ZoneError
}

// DomainListing is a listed domain.
type DomainListing struct {
	Domain string
	Listing
}

// BeginDomains asks all zones at once about domains, in lower-case A-labels: those that a message links to and its author's.
// What it returns waits for the answers; where all are remembered there is nothing to wait for. Addresses in numbers are
// passed over: lists of domains answer them with an error.
func (c *Checker) BeginDomains(ctx context.Context, domains []string) (wait func() DomainVerdict) {
	cfg := c.o.Config()
	if cfg.Disabled || len(cfg.Zones) == 0 {
		return func() DomainVerdict { return DomainVerdict{} }
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Second
	}
	q := &domainQuestions{Checker: c, key: cfg.DQSKey, zones: cfg.Zones[:min(len(cfg.Zones), maxZones)]}
	q.names = make([]string, 0, min(len(domains), maxDomains))
	for _, d := range domains {
		if isDomainName(d) && len(q.names) < maxDomains {
			q.names = append(q.names, d)
		}
	}
	q.ctx.Start(ctx, cfg.Timeout)
	q.answers = make([]zoneAnswer, len(q.names)*len(q.zones))
	for i := range q.answers {
		name, zone := q.names[i/len(q.zones)], q.zones[i%len(q.zones)]
		var remembered bool
		if q.answers[i], remembered = c.recall(&q.ctx, zone, q.key, name); !remembered {
			q.ask(&q.answers[i], zone, name)
		}
	}
	return q.wait
}

// domainQuestions are the questions about the domains of one message.
type domainQuestions struct {
	*Checker
	key     string
	ctx     latectx.Context
	names   []string
	zones   []Zone
	answers []zoneAnswer // of each zone about the first name, then about the next
	open    sync.WaitGroup
}

// ask asks one zone about one name, beside the others.
func (q *domainQuestions) ask(answer *zoneAnswer, z Zone, name string) {
	q.open.Go(func() { *answer = q.Checker.ask(&q.ctx, z, q.key, name) })
}

func (q *domainQuestions) wait() DomainVerdict {
	defer q.ctx.Cancel()
	q.open.Wait()
	return judgeDomains(q.names, len(q.zones), q.answers)
}

func judgeDomains(names []string, zones int, answers []zoneAnswer) DomainVerdict {
	v := DomainVerdict{Asked: len(names)}
	var told map[ZoneError]bool
	for i, name := range names {
		sum := 0.0
		for _, a := range answers[i*zones : (i+1)*zones] {
			if len(a.listings) > 0 {
				v.Listings = append(v.Listings, DomainListing{name, a.listings[0]})
				sum += a.listings[0].Weight
			}
			for _, e := range a.errors {
				key := ZoneError{Zone: e.Zone, Problem: e.Problem, Code: e.Code}
				if !told[key] {
					if told == nil {
						told = map[ZoneError]bool{}
					}
					told[key] = true
					v.Errors = append(v.Errors, e)
				}
			}
		}
		v.Score = max(v.Score, sum)
	}
	return v
}

// isDomainName: a name that can be asked about, and not an address.
func isDomainName(s string) bool {
	last := s[strings.LastIndexByte(s, '.')+1:]
	return isZoneName(s) && strings.Trim(last, "0123456789") != ""
}
