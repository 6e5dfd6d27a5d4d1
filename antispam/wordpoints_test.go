package antispam

import (
	"fmt"
	"testing"

	"postern/antispam/bayes"
)

// lessons is a model that somebody taught so many messages of each class, all of them with these tokens.
type lessons struct {
	n      uint32
	tokens map[bayes.Token]bool
	spam   bool
}

func (l lessons) Totals() bayes.Count { return bayes.Count{Spam: l.n, Ham: l.n} }

func (l lessons) Counts(tokens []bayes.Token, counts []bayes.Count) {
	for i, t := range tokens {
		counts[i] = bayes.Count{}
		switch {
		case l.tokens[t] && l.spam:
			counts[i].Spam = l.n
		case l.tokens[t]:
			counts[i].Ham = l.n
		}
	}
}

// priorOf is a prior whose shares say nothing and whose weights say that every word of the plain letter is of spam.
func priorOf(t *testing.T, weight float64) (*bayes.Prior, map[bayes.Token]bool) {
	t.Helper()
	var list []bayes.PriorToken
	tokens := map[bayes.Token]bool{}
	for _, token := range examine(t, New(), letter{}).WordTokens() {
		list = append(list, bayes.PriorToken{Token: token, Spam: 0.01, Ham: 0.01, Weight: weight})
		tokens[token] = true
	}
	return bayes.NewPrior(list), tokens
}

func TestTheWeightsOfThePriorCountHalfAndLessTheMoreIsTaught(t *testing.T) {
	prior, tokens := priorOf(t, 2)
	e := NewWithPrior(prior)
	f := examine(t, e, letter{})
	if got := f.Words(); got.Points < 200 || got.Points > 230 {
		t.Errorf("weights that could not be surer are %s points", got.Points)
	}
	last := f.Words().Points
	for _, n := range []uint32{taughtEnough, 100, 1000, 10000} {
		got := f.Words(lessons{n, tokens, false})
		if got.Points >= last {
			t.Errorf("after %d messages that were wanted it has %s points, %s before", n, got.Points, last)
		}
		last = got.Points
	}
	if last > -200 {
		t.Errorf("what was taught ten thousand times is worth %s", last)
	}
	gentle := examine(t, NewWithPrior(mirrored(t)), letter{}).Words()
	if gentle.Points > -70 || gentle.Points < -85 {
		t.Errorf("weights for wanted mail that could not be surer are %s points", gentle.Points)
	}
}

func mirrored(t *testing.T) *bayes.Prior {
	prior, _ := priorOf(t, -2)
	return prior
}

func TestAPriorOfAnotherLanguageTakesNothingFromWhatIsTaught(t *testing.T) {
	f := examine(t, NewWithPrior(bayes.NewPrior(nil)), letter{})
	tokens := map[bayes.Token]bool{}
	for _, token := range f.WordTokens() {
		tokens[token] = true
	}
	got := f.Words(lessons{taughtEnough, tokens, true})
	if got.Points != 644 {
		t.Errorf("words that were only ever spam are %s points of %s", got.Points, fmt.Sprintf("%.2f", 1.4*wordsSpam))
	}
}
