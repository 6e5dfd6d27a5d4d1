package bayes

import "math"

// Learner gathers labelled messages and makes a prior of them.
//
// Wanted mail comes in series: a list or a newsletter sends hundreds of messages that share a vocabulary, which says nothing
// about mail from elsewhere. Each source therefore counts as perSource messages at most, and a token has to come from
// several sources to be kept.
type Learner struct {
	spam, ham []learned
	sources   map[uint32]int
}

// learned is one message.
type learned struct {
	tokens []Token
	source uint32 // a hash
}

const (
	// perSource is as how many messages one source of wanted mail counts at most.
	perSource = 30
	// minSources and minMessages are in how many a token must be to be kept.
	minSources, minMessages = 3, 4
	// doubt is added to every count: what was not seen is rare, not impossible.
	doubt = 0.3
)

// Add takes a message's tokens. The source names who it is from, such as a list or a domain.
func (l *Learner) Add(tokens []Token, spam bool, source string) {
	m := learned{append([]Token(nil), tokens...), uint32(Of(source))}
	if spam {
		l.spam = append(l.spam, m)
		return
	}
	if l.sources == nil {
		l.sources = map[uint32]int{}
	}
	l.sources[m.source]++
	l.ham = append(l.ham, m)
}

// Count is the number of messages of each class.
func (l *Learner) Count() Count { return Count{Spam: uint32(len(l.spam)), Ham: uint32(len(l.ham))} }

// tally is what is counted of one token.
type tally struct {
	spam, ham float32
	messages  uint32
	known     uint8
	sources   [minSources]uint32
}

func (c *tally) see(source uint32) {
	c.messages++
	for _, s := range c.sources[:c.known] {
		if s == source {
			return
		}
	}
	if int(c.known) < len(c.sources) {
		c.sources[c.known] = source
		c.known++
	}
}

// Tokens gives what is worth keeping, in the order of the tokens.
func (l *Learner) Tokens() []PriorToken {
	tallies := map[Token]tally{}
	for _, m := range l.spam {
		for _, t := range m.tokens {
			c := tallies[t]
			c.see(m.source)
			c.spam++
			tallies[t] = c
		}
	}
	ham := 0.0
	for _, m := range l.ham {
		weight := l.hamWeight(m)
		ham += weight
		for _, t := range m.tokens {
			c := tallies[t]
			c.see(m.source)
			c.ham += float32(weight)
			tallies[t] = c
		}
	}
	var list []PriorToken
	spams, hams := float64(len(l.spam))+2*doubt, ham+2*doubt
	for t, c := range tallies {
		if c.messages >= minMessages && int(c.known) == minSources {
			list = append(list, PriorToken{Token: t, Spam: (float64(c.spam) + doubt) / spams, Ham: (float64(c.ham) + doubt) / hams})
		}
	}
	l.weigh(list)
	return list
}

// hamWeight is as how much of a message a wanted one counts.
func (l *Learner) hamWeight(m learned) float64 {
	return math.Min(1, perSource/float64(l.sources[m.source]))
}
