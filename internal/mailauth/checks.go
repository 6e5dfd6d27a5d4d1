package mailauth

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/dkim"
	"postern/internal/oneline"
	"postern/internal/verdict"
)

// maxDetail bounds the line for people, in bytes.
const maxDetail = 300

// Checks gives the results for a verdict's trace: spf, dkim, arc, dmarc and, if it was asked for, iprev. They are worth no
// points here; the antispam engine says what they are worth.
func (r Results) Checks() []verdict.Check { return r.AppendChecks(nil) }

// AppendChecks appends them.
func (r *Results) AppendChecks(list []verdict.Check) []verdict.Check {
	list = append(list,
		check(verdict.CheckSPF, string(r.SPF.Status), r.spfDetail(), r.took.spf),
		r.dkimCheck(),
		check(verdict.CheckARC, string(r.ARC.Result), r.arcDetail(), r.took.signatures),
		check(verdict.CheckDMARC, string(r.DMARC.Status), r.dmarcDetail(), r.took.dmarc))
	if r.IPRev.Status != "" {
		list = append(list, check(verdict.CheckIPRev, string(r.IPRev.Status), r.IPRev.Name, r.took.iprev))
	}
	return list
}

func check(name, result, detail string, took time.Duration) verdict.Check {
	return verdict.Check{Name: name, Result: result, Detail: oneline.Text(detail, maxDetail), Micros: took.Microseconds()}
}

func (r *Results) spfDetail() string {
	var room [256]byte
	b := append(room[:0], r.SPF.Domain...)
	switch {
	case r.SPF.Cause != nil:
		b = append(append(b, ": "...), r.SPF.Cause.Error()...)
	case r.SPF.Mechanism != "":
		b = append(append(b, ": "...), r.SPF.Mechanism...)
	}
	if r.SPF.Explanation != "" {
		b = fmt.Appendf(b, " (%q)", r.SPF.Explanation)
	}
	if r.Helo.Status != "" && r.Helo.Status != None {
		b = append(append(append(append(b, "; HELO "...), r.Helo.Domain...), ": "...), r.Helo.Status...)
	}
	return string(b)
}

// dkimCheck has a part for each signature; its result is the best of theirs.
func (r *Results) dkimCheck() verdict.Check {
	best := dkim.ResultNone
	var passed []string
	parts := slices.Grow([]verdict.Part(nil), len(r.DKIM))
	for i := range r.DKIM {
		v := &r.DKIM[i]
		if rank(v.Result) > rank(best) {
			best = v.Result
		}
		detail := string(v.Result)
		if v.Reason != "" {
			detail += ": " + v.Reason
		}
		if v.Result == dkim.ResultPass {
			passed = append(passed, v.Domain)
		}
		parts = append(parts, verdict.Part{Name: oneline.Text(v.Domain, maxDetail), Detail: oneline.Text(detail, maxDetail)})
	}
	detail := strings.Join(passed, ", ")
	if len(passed) == 0 && len(r.DKIM) > 0 {
		detail = r.DKIM[0].Domain + ": " + r.DKIM[0].Reason
	}
	c := check(verdict.CheckDKIM, string(best), detail, r.took.signatures)
	c.Parts = parts
	return c
}

// rank orders the results of signatures by what they say for the message.
func rank(r dkim.Result) int {
	switch r {
	case dkim.ResultPass:
		return 6
	case dkim.ResultTempError:
		return 5
	case dkim.ResultPolicy:
		return 4
	case dkim.ResultFail:
		return 3
	case dkim.ResultPermError:
		return 2
	case dkim.ResultNeutral:
		return 1
	default:
		return 0
	}
}

func (r *Results) arcDetail() string {
	n := len(r.ARC.Sets)
	if n == 0 {
		return r.ARC.Reason
	}
	detail := fmt.Sprintf("%d sets, the last by %s", n, r.ARC.Sets[n-1].Domain)
	if n == 1 {
		detail = "sealed by " + r.ARC.Sets[0].Domain
	}
	if r.ARC.Reason != "" {
		detail += ": " + r.ARC.Reason
	}
	return detail
}

func (r *Results) dmarcDetail() string {
	a := r.DMARC.decisive()
	if a == nil {
		return r.DMARC.Reason
	}
	var room [256]byte
	b := append(append(room[:0], a.Domain...), " ("...)
	b = append(a.appendPolicy(b, &r.DMARC), ')')
	switch {
	case r.DMARC.Status == Pass:
		b = append(b, " by "...)
		if a.SPF {
			b = append(append(b, "SPF of "...), r.SPF.Domain...)
		}
		if a.SPF && a.DKIM {
			b = append(b, " and "...)
		}
		if a.DKIM {
			b = append(append(b, "DKIM of "...), a.Signer...)
		}
	case r.DMARC.Reason != "" && r.DMARC.Reason != "no policy":
		b = append(append(b, ": "...), r.DMARC.Reason...)
	}
	return string(b)
}
