package scanner

import (
	"fmt"
	"time"
)

// Alert is something about a scanner that the administrator has to put right.
type Alert struct {
	Scanner, Address string
	Trouble          Trouble
	// Text says what happened and what to do.
	Text string
}

// alertAgain is when a trouble that one message has and the next has not is told again.
const alertAgain = time.Hour

// alert tells a trouble unless it was told and is not over.
func (g *Guard) alert(e *Error) {
	now := g.o.Clock.Now()
	g.mu.Lock()
	last, told := g.told[e.Trouble]
	if told = told && (e.Trouble.failure() || now.Sub(last) < alertAgain); !told {
		g.told[e.Trouble] = now
	}
	g.mu.Unlock()
	if !told {
		g.o.Alert(Alert{Scanner: g.peer.name, Address: g.peer.address, Trouble: e.Trouble, Text: fix(e, g.o)})
	}
}

// forget takes the failures back that are over now, and reports whether there were any. The lock is held.
func (g *Guard) forget() (any bool) {
	for t := range g.told {
		if t.failure() {
			delete(g.told, t)
			any = true
		}
	}
	return any
}

// fix says what happened and how it is mended.
func fix(e *Error, o Options) string {
	const meanwhile = " Mail is accepted meanwhile, marked as not scanned by it, and Postern goes on asking by itself."
	where := "The scanner " + e.Scanner + " at " + e.Address
	service, workers := daemon(e.Scanner)
	switch e.Trouble {
	case Slow:
		return fmt.Sprintf("%s gave no answer within %s. See `systemctl status %s`, its log and the machine's load; give it more workers (%s) if it "+
			"has too much to do.", where, o.Timeout, service, workers) + meanwhile
	case Lying:
		return fmt.Sprintf("%s gave an answer that cannot be right (%v). See whether the setting names the right port, and update the scanner.",
			where, e.Cause) + meanwhile
	case Refused:
		return fmt.Sprintf("%s refuses our messages (%v). See its log, who may connect to it, and its password.", where, e.Cause) + meanwhile
	case Busy:
		return fmt.Sprintf("%s had %d messages at once, and a further one waited %s in vain. Give it more workers (%s).",
			where, o.Concurrency, o.Wait, workers) + meanwhile
	case TooLarge:
		return fmt.Sprintf("%s does not take what it is sent (%v).", where, e.Cause) + meanwhile
	default:
		return fmt.Sprintf("%s cannot be reached (%v). Start it (`systemctl start %s`), see its log, or correct the setting that names it.",
			where, e.Cause, service) + meanwhile
	}
}

// daemon gives the name of a scanner's service on Debian, and what says how much it does at once.
func daemon(name string) (service, workers string) {
	switch name {
	case "spamd":
		return "spamd", "--max-children"
	case "clamd":
		return "clamav-daemon", "MaxThreads in clamd.conf"
	}
	return name, "count of its normal worker"
}
