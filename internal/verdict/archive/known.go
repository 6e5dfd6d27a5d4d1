package archive

import "postern/internal/verdict"

// Numbers of texts that the trace has said before. Those of known texts follow.
const (
	saidHelo     = iota // where the client's name is confirmed, it stands in the check as well
	saidFrom            // most authors send from their own address
	saidAccepted        // the reply, with the trace's ID
	knownFrom
)

// accepted is the reply to what was accepted, before the ID. Rows are read by it, so it stays when the reply becomes another.
const accepted = "250 2.6.0 Accepted as "

// known are texts that stand in nearly every trace, by the number that is written in their place. New ones are added at the
// end; none is changed or removed, for rows are read by them. Read-only.
var known = [...]string{
	"spf", "dkim", "dmarc", "arc", "iprev", "dnsbl", "uribl", "rules", "bayes", "reputation", "scanner", "virus", "greylist", "sender", "claim",
	"pass", "fail", "softfail", "neutral", "none", "temperror", "permerror", "policy",
	"clean", "listed", "matched", "known", "unknown", "unavailable", "spam", "ham", "unsure", "not asked", "infected", "proven", "correspondent",
	"allowed", "blocked", "good", "bad", "even", "passed",
	"inbox", "tag", "junk", "reject", "quarantine",
	"server", "default", "INBOX", "Junk", "postern-1", "rspamd", "spamd", "1 domains", "score 0.00",
}

// longestKnown is the length up to which a text may be among them.
const longestKnown = 16

// knownNumbers finds them. Read-only.
var knownNumbers = func() map[string]int {
	numbers := make(map[string]int, len(known))
	for n, text := range known {
		numbers[text] = knownFrom + n
	}
	return numbers
}()

// numberOf gives the number of a text, which is not empty, if it has one.
func numberOf(t *verdict.Trace, text string) (number int, ok bool) {
	switch {
	case text == t.Helo:
		return saidHelo, true
	case text == t.From:
		return saidFrom, true
	case len(text) == len(accepted)+len(t.ID) && text[:len(accepted)] == accepted && text[len(accepted):] == t.ID:
		return saidAccepted, true
	case len(text) > longestKnown:
		return 0, false
	}
	number, ok = knownNumbers[text]
	return number, ok
}
