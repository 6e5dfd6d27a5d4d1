// Package doctor looks at what a mail server needs around it and says, for each thing, whether it is well and what to do
// if it is not.
//
// `postern check` ends here. Each examination is a function that yields findings and changes nothing; [Examine] runs
// those that apply, within a time, and gives all findings in a fixed order.
package doctor

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"postern/internal/config"
	"postern/internal/resolver"
	"postern/platform/zone"
)

// Level is how a finding is to be taken.
type Level string

// The levels.
const (
	OK   Level = "ok"
	Warn Level = "warning"
	Fail Level = "failure"
)

// Finding is one thing that was looked at.
type Finding struct {
	Subject string `json:"subject" doc:"What was looked at, such as dns example.org or port smtp."`
	Level   Level  `json:"level" doc:"ok, warning or failure."`
	What    string `json:"what" doc:"What was found."`
	Fix     string `json:"fix,omitempty" doc:"How to mend it."`
}

func ok(subject, what string, args ...any) Finding {
	return Finding{subject, OK, fmt.Sprintf(what, args...), ""}
}

func warn(subject, fix, what string, args ...any) Finding {
	return Finding{subject, Warn, fmt.Sprintf(what, args...), fix}
}

func fail(subject, fix, what string, args ...any) Finding {
	return Finding{subject, Fail, fmt.Sprintf(what, args...), fix}
}

// Resolver is what examining needs of the DNS.
type Resolver interface {
	zone.Resolver
	LookupHost(ctx context.Context, name string) (resolver.Answer[netip.Addr], error)
	LookupPTR(ctx context.Context, ip netip.Addr) (resolver.Answer[string], error)
}

// Patient is the server that is examined.
type Patient struct {
	Config *config.Config
	// Domains are the records that each mail domain should have.
	Domains map[string][]zone.Record
	DNS     Resolver
	// Leaf is the certificate in use, CA the file of our own authority when it is self-made.
	Leaf *x509.Certificate
	CA   string
	Now  time.Time
	// Oldest is when the oldest message in the queue arrived, zero for none; Waiting their number.
	Oldest  time.Time
	Waiting int64
	// Lists are the block lists that are asked, Scanners the external ones.
	Lists    []Lists
	Scanners []Scanner
	// Alerts are troubles that the running server has met.
	Alerts []Alert
}

// Alert is a trouble that the running server has met.
type Alert struct{ Title, Text string }

// within is how long an examination may take: answers that come later than this are trouble too.
const within = 15 * time.Second

// Examine runs every examination.
func Examine(ctx context.Context, p Patient) []Finding {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	examinations := []func(context.Context, Patient) []Finding{Permissions, Disk, Clock, Certificate, Ports, Host, DNS, BlockLists, Scanners, Queue, Troubles}
	findings := make([][]Finding, len(examinations))
	var running sync.WaitGroup
	for i, examine := range examinations {
		running.Go(func() { findings[i] = examine(ctx, p) })
	}
	running.Wait()
	return slices.Concat(findings...)
}

// oldMail is when waiting mail is worth a look: the sender is told at about this time too.
const oldMail = 4 * time.Hour

// Queue: mail leaves.
func Queue(_ context.Context, p Patient) []Finding {
	switch {
	case p.Waiting == 0:
		return []Finding{ok("queue", "nothing waits")}
	case p.Now.Sub(p.Oldest) > oldMail:
		return []Finding{warn("queue", "see `postern queue list` for the reasons", "%d recipients wait, the oldest for %s", p.Waiting, p.Now.Sub(p.Oldest).Round(time.Minute))}
	}
	return []Finding{ok("queue", "%d recipients wait, the oldest for %s", p.Waiting, p.Now.Sub(p.Oldest).Round(time.Second))}
}

// Stopped examines what can be seen while no server runs, which is the first finding.
func Stopped(ctx context.Context, p Patient) []Finding {
	first := fail("server", "start it with `postern serve`, or see its log for why it ended", "no server answers at %s", p.Config.AdminSocket())
	return slices.Concat([]Finding{first}, Permissions(ctx, p), Disk(ctx, p), Clock(ctx, p))
}

// Troubles: what the running server has met.
func Troubles(_ context.Context, p Patient) []Finding {
	var list []Finding
	for _, a := range p.Alerts {
		list = append(list, Finding{Subject: "alert", Level: Warn, What: a.Title, Fix: a.Text})
	}
	return list
}
