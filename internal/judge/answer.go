package judge

import (
	"fmt"
	"strings"

	"postern/internal/address"
	"postern/internal/reply"
	"postern/internal/verdict"
)

// Answer is what the sender is told: nil when the message is taken, else the reply that refuses it. A message has one reply
// for all its recipients, so it is refused only when none of them takes it; where one does, the copies of those who would
// refuse it go to their Junk, and those who would have let the sender come again take it now.
func (v *Judgement) Answer() *reply.Error {
	if e := v.Spoofed(); e != nil {
		return e
	}
	if v.dmarc.unsure && v.byDMARC() > 0 {
		return v.refuse(451, "4.7.1", "What may prove the author's domain %s cannot be checked now, please try again later", v.dmarc.author)
	}
	refused, waits := v.count(verdict.Reject), v.count(verdict.Greylist)
	switch all := len(v.Trace.Recipients); {
	case refused == all:
		return v.reject()
	case refused+waits == all:
		return v.refuse(451, "4.7.1", "The sender is not known here yet, please try again in some minutes")
	}
	v.Trace.Reply = "250 2.6.0 Accepted as " + v.Trace.ID
	for i := range v.Trace.Recipients {
		file(&v.Trace.Recipients[i])
	}
	return nil
}

// file says where a copy goes by the verdict.
func file(r *verdict.Recipient) {
	switch {
	case r.Account == 0: // it is forwarded, and stored nowhere here
	case r.Verdict.Action == verdict.Junk || r.Verdict.Action == verdict.Reject:
		r.Mailbox, r.FiledBy = "Junk", "spam"
	default:
		r.Mailbox, r.FiledBy = "INBOX", "default"
	}
}

// Onward gives a copy that a script sends on to another account here its own place among the recipients. It goes by the verdict
// on the one that it comes from.
func (v *Judgement) Onward(from int, account int64, to address.Address) (place int) {
	r := v.Trace.Recipients[from]
	r.Account, r.Address, r.Scripts = account, to.String(), nil
	file(&r)
	v.Trace.Recipients = append(v.Trace.Recipients, r)
	return len(v.Trace.Recipients) - 1
}

// RefuseFor is the reply where the scripts of all recipients refuse the message, with what they say.
func (v *Judgement) RefuseFor(text string) *reply.Error {
	return v.refuse(550, "5.7.1", "%s", text)
}

// Spoofed is the reply to a message that claims to be from a domain of ours and does not prove it, nil for any other: our
// users log in. It holds whether spam is looked for or not.
func (v *Judgement) Spoofed() *reply.Error {
	for _, c := range v.Trace.Checks {
		switch {
		case c.Name != verdict.CheckClaim:
		case c.Result == "unsure":
			return v.refuse(451, "4.7.1", "Cannot check the sender's domain %s now, please try again later", v.claimed)
		case c.Result == "not proven":
			return v.refuse(550, "5.7.1", "Mail from %s must be authenticated: log in on port 587 or 465, or send from a host that SPF or DKIM of the domain vouches for", v.claimed)
		}
	}
	return nil
}

// refuse makes a reply, which ends in the id under which the judgement is found, and notes it in the trace.
func (v *Judgement) refuse(code int, enhanced, format string, args ...any) *reply.Error {
	e := reply.New(code, enhanced, format+" (%s)", append(args, v.Trace.ID)...)
	v.Trace.Reply = fmt.Sprintf("%d %s %s", e.Code, e.EnhancedString(), e.Text)
	v.refused = true
	return e
}

// Refused reports whether the sender was told that the message is not taken.
func (v *Judgement) Refused() bool { return v.refused }

// count is how many copies an action is wanted for.
func (v *Judgement) count(a verdict.Action) (n int) {
	for _, r := range v.Trace.Recipients {
		if r.Verdict.Action == a {
			n++
		}
	}
	return n
}

// byDMARC is for how many copies the policy of the author's domain decided.
func (v *Judgement) byDMARC() (n int) {
	for _, r := range v.Trace.Recipients {
		if isByDMARC(r.Verdict) {
			n++
		}
	}
	return n
}

func isByDMARC(v verdict.Verdict) bool { return strings.HasPrefix(v.Rule, "dmarc: ") }

// reject words a refusal for good.
func (v *Judgement) reject() *reply.Error {
	first := v.Trace.Recipients[0].Verdict
	switch {
	case isByDMARC(first) && v.dmarc.author == "":
		return v.refuse(550, "5.7.1", "The message has more authors than can be asked about")
	case isByDMARC(first):
		// RFC 7489 10.3
		return v.refuse(550, "5.7.1", "The message does not prove to be from %s, whose DMARC policy is to reject such mail", v.dmarc.author)
	case strings.HasPrefix(first.Rule, "virus: "):
		return v.refuse(550, "5.7.1", "A virus was found in the message")
	}
	return v.refuse(550, "5.7.1", "The message looks like spam")
}

// Junked reports whether a recipient's copy goes to Junk.
func (v *Judgement) Junked(i int) bool { return v.Trace.Recipients[i].Mailbox == "Junk" }
