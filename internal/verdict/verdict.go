// Package verdict is what a message was judged by and what came of it.
//
// Everything that looks at a message on its way in leaves a [Check]: what it found, how many points that is worth, what it
// cost. The checks of all, those of each recipient, and the policy in force go through [Decide], which is a function of
// these alone; the whole is the message's [Trace], which is stored with it, shown to the administrator and the recipient,
// and can be decided anew at any time with the same outcome ([Trace.Replay]).
//
// The package knows no DNS, no SQL and no clock: what cannot be written into a trace cannot decide.
package verdict

import (
	"fmt"
	"strconv"
	"time"
)

// Points are hundredths of a point of spam score. Sums of them are exact, so that a trace always adds up to the same.
type Points int64

// P makes points of a number with at most two decimals that count.
func P(score float64) Points {
	if score < 0 {
		return Points(score*100 - 0.5)
	}
	return Points(score*100 + 0.5)
}

// String writes points as people read scores: "4.20".
func (p Points) String() string { return string(p.append(nil)) }

func (p Points) append(b []byte) []byte {
	if p < 0 {
		b, p = append(b, '-'), -p
	}
	if whole := p / 100; whole >= 0 && whole < 10 {
		b = append(b, byte('0'+whole))
	} else {
		b = strconv.AppendInt(b, int64(whole), 10)
	}
	return append(b, '.', byte('0'+p/10%10), byte('0'+p%10))
}

// Float is the score as a number.
func (p Points) Float() float64 { return float64(p) / 100 }

// MarshalJSON writes a plain number with two decimals.
func (p Points) MarshalJSON() ([]byte, error) { return p.append(nil), nil }

// UnmarshalJSON reads a number. What MarshalJSON wrote comes back to the hundredth, however large.
func (p *Points) UnmarshalJSON(b []byte) error {
	text := string(b)
	if point := len(text) - 3; point > 0 && text[point] == '.' {
		if n, err := strconv.ParseInt(text[:point]+text[point+1:], 10, 64); err == nil {
			*p = Points(n)
			return nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f > 1e9 || f < -1e9 {
		return fmt.Errorf("%q is not a score", b)
	}
	*p = P(f)
	return nil
}

// Names of checks. Parts of one check (rules, symbols, words) stand in [Check.Parts].
const (
	CheckSPF        = "spf"
	CheckDKIM       = "dkim"
	CheckDMARC      = "dmarc"
	CheckARC        = "arc"
	CheckIPRev      = "iprev"
	CheckDNSBL      = "dnsbl"
	CheckURIBL      = "uribl"
	CheckRules      = "rules"
	CheckBayes      = "bayes"
	CheckReputation = "reputation"
	CheckScanner    = "scanner"
	CheckVirus      = "virus"
	CheckGreylist   = "greylist"
	CheckSender     = "sender" // the recipient's own lists, and whom they write to
	CheckClaim      = "claim"  // a domain of ours, where the message claims to be from one
)

// Check is what one examination found.
type Check struct {
	Name string `json:"name"`
	// Result is in the check's own words: "pass", "fail", "listed", "spam"; "unavailable" when it could not be made.
	Result string `json:"result"`
	// Detail is one line for people.
	Detail string `json:"detail,omitempty"`
	Points Points `json:"points"`
	// Micros is the time it took, in microseconds of the wall clock, waiting for others included.
	Micros int64  `json:"micros"`
	Parts  []Part `json:"parts,omitempty"`
}

// Part is a finding within a check: a rule that matched, a scanner's symbol, a telling word.
type Part struct {
	Name   string `json:"name"`
	Detail string `json:"detail,omitempty"`
	Points Points `json:"points"`
}

// Action is what is done with a recipient's copy.
type Action string

// The actions, in the order of their severity.
const (
	Inbox    Action = "inbox"
	Tag      Action = "tag"      // delivered where it would be, marked as suspicious
	Junk     Action = "junk"     // into the mailbox with the role \Junk
	Greylist Action = "greylist" // 451: come again
	Reject   Action = "reject"   // 550
)

// Policy is what a recipient's mail is judged by, as it was in force.
type Policy struct {
	// Source says whose thresholds these are: "server", a domain or an address.
	Source string `json:"source"`
	// Tag, Junk and Reject are the scores from which that is done; 0 never does it.
	Tag    Points `json:"tag"`
	Junk   Points `json:"junk"`
	Reject Points `json:"reject"`
	// Greylist is the score from which unknown senders must come again; 0 never.
	Greylist Points `json:"greylist,omitempty"`
	// Virus is done with infected mail: Reject or Junk.
	Virus Action `json:"virus,omitempty"`
	// DMARC is what the author's domain asks for, after the administrator's override: "none", "quarantine", "reject".
	DMARC string `json:"dmarc,omitempty"`
	// DMARCSource says why it is not what the domain asks for: "override for example.org", "trusted ARC seal of …"; empty
	// when it is.
	DMARCSource string `json:"dmarc_source,omitempty"`
	// Scanner is whose verdict counts: "" for the built-in engine, or the name of the scanner.
	Scanner string `json:"scanner,omitempty"`
}

// Verdict is what was decided for a recipient.
type Verdict struct {
	Score  Points `json:"score"`
	Action Action `json:"action"`
	// Rule is the line of the policy that decided, in words.
	Rule string `json:"rule"`
}

// Recipient is one copy: what was found for it alone, by what policy, and what came of it.
type Recipient struct {
	Address string  `json:"address"`
	Account int64   `json:"account,omitempty"`
	Checks  []Check `json:"checks,omitempty"`
	Policy  Policy  `json:"policy"`
	Verdict Verdict `json:"verdict"`
	// Mailbox is where the copy went, and FiledBy what said so: "spam", "default", or the line of a Sieve script. Several
	// mailboxes have commas between them. Empty when it was not stored here.
	Mailbox string `json:"mailbox,omitempty"`
	FiledBy string `json:"filed_by,omitempty"`
	// Scripts are what the recipient's scripts did, one by one: "main, line 4: fileinto Lists".
	Scripts []string `json:"scripts,omitempty"`
	// Run is how these came to do it; nil where none was run.
	Run *Run `json:"run,omitempty"`
}

// Trace is the whole story of one message's judgement.
type Trace struct {
	// Version of this form.
	Version int `json:"version"`
	// ID is the transaction's, as it stands in the Received field.
	ID string    `json:"id"`
	At time.Time `json:"at"`
	// Client is the address that spoke to us, Helo its own name for itself.
	Client string `json:"client"`
	Helo   string `json:"helo"`
	// From is the reverse-path, Author the address in the From field, MessageID as the header has it; each as far as it
	// could be read.
	From      string `json:"from"`
	Author    string `json:"author"`
	MessageID string `json:"message_id"`
	Size      int64  `json:"size"`
	// Engine names the table of points that was used.
	Engine     string      `json:"engine"`
	Checks     []Check     `json:"checks"`
	Recipients []Recipient `json:"recipients"`
	// Reply is what the sender was answered.
	Reply string `json:"reply"`
	// Micros is the time from the end of the message's bytes to the decision.
	Micros int64 `json:"micros"`
}

// TraceVersion is the form that this program writes.
const TraceVersion = 1
