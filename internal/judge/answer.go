package judge

import (
	"fmt"
	"strings"

	"postern/internal/mailauth/dmarc"
	"postern/internal/reply"
	"postern/internal/verdict"
)

// Answer is what the sender is told: nil when the message is taken, else the reply that refuses it. A message has one reply
// for all its recipients, so it is refused only when none of them takes it; where one does, the copies of those who would
// refuse it go to their Junk, and those who would have let the sender come again take it now.
func (v *Judgement) Answer() error {
	if d := v.Auth.DMARC; d.Unsure && v.count(verdict.Reject) == len(v.Trace.Recipients) && v.byDMARC() {
		return v.Refuse(reply.New(451, "4.7.1", "What may prove the author's domain %s cannot be checked now, please try again later", v.authorDomain()))
	}
	refused, waits := v.count(verdict.Reject), v.count(verdict.Greylist)
	switch all := len(v.Trace.Recipients); {
	case refused == all:
		return v.Refuse(v.rejection())
	case refused+waits == all:
		return v.Refuse(reply.New(451, "4.7.1", "The sender is not known here yet, please try again in some minutes"))
	}
	v.Trace.Reply = "250 2.6.0 Accepted"
	for i := range v.Trace.Recipients {
		r := &v.Trace.Recipients[i]
		r.Mailbox, r.FiledBy = "INBOX", "default"
		if r.Verdict.Action == verdict.Junk || r.Verdict.Action == verdict.Reject {
			r.Mailbox, r.FiledBy = "Junk", "spam"
		}
	}
	return nil
}

// Refuse notes in the trace that the message is refused, for a reason that the caller may have found, and gives the reply.
func (v *Judgement) Refuse(e *reply.Error) error {
	v.Trace.Reply = fmt.Sprintf("%d %s %s", e.Code, e.EnhancedString(), e.Text)
	return e
}

func (v *Judgement) count(a verdict.Action) (n int) {
	for _, r := range v.Trace.Recipients {
		if r.Verdict.Action == a {
			n++
		}
	}
	return n
}

// byDMARC: it is the policy of the author's domain that refuses the message.
func (v *Judgement) byDMARC() bool {
	return strings.HasPrefix(v.Trace.Recipients[0].Verdict.Rule, "dmarc: ")
}

func (v *Judgement) authorDomain() string {
	for _, a := range v.Auth.DMARC.Authors {
		if a.Disposition != dmarc.None {
			return a.Domain
		}
	}
	return "in From"
}

// rejection words a refusal; the ID leads to the trace.
func (v *Judgement) rejection() *reply.Error {
	rule := v.Trace.Recipients[0].Verdict.Rule
	switch {
	case v.byDMARC():
		// RFC 7489 10.3
		return reply.New(550, "5.7.1", "The message does not prove to be from %s, whose DMARC policy is to reject such mail (%s)", v.authorDomain(), v.Trace.ID)
	case strings.HasPrefix(rule, "virus: "):
		return reply.New(550, "5.7.1", "A virus was found in the message (%s)", v.Trace.ID)
	}
	return reply.New(550, "5.7.1", "The message looks like spam (%s)", v.Trace.ID)
}

// Junked reports whether a recipient's copy goes to Junk.
func (v *Judgement) Junked(i int) bool { return v.Trace.Recipients[i].Mailbox == "Junk" }
