package bayes

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// weightsOf are the weights of named tokens.
func weightsOf(l *Learner, names ...string) []float64 {
	tokens := l.Tokens()
	out := make([]float64, len(names))
	for i, name := range names {
		for _, t := range tokens {
			if t.Token == Of(name) {
				out[i] = t.Weight
			}
		}
	}
	return out
}

// taughtApart knows words of spam and of ham, each in half of their class, and words that are in both alike.
func taughtApart() *Learner {
	l := &Learner{}
	random := rand.New(rand.NewPCG(7, 8))
	for i := range 400 {
		spam := i%2 == 0
		var tokens []Token
		for w := range 40 {
			if random.IntN(2) == 0 {
				tokens = append(tokens, Of(fmt.Sprint("both", w)))
			}
			if random.IntN(2) == 0 {
				tokens = append(tokens, Of(fmt.Sprint(map[bool]string{true: "spam", false: "ham"}[spam], w)))
			}
		}
		l.Add(tokens, spam, fmt.Sprint("source", i))
	}
	return l
}

func TestWeightsPointWhereTheirMessagesAre(t *testing.T) {
	l := taughtApart()
	for w := range 40 {
		got := weightsOf(l, fmt.Sprint("spam", w), fmt.Sprint("ham", w), fmt.Sprint("both", w))
		if got[0] < 0.1 || got[1] > -0.1 || math.Abs(got[2]) > 0.5*min(got[0], -got[1]) {
			t.Errorf("word %d: spam %.3f, ham %.3f, both %.3f", w, got[0], got[1], got[2])
		}
	}
}

func TestAWordThatOnlyAccompaniesWeighsLessThanItsShareSays(t *testing.T) {
	var l Learner
	random := rand.New(rand.NewPCG(9, 10))
	for i := range 600 {
		spam := i%2 == 0
		tokens := []Token{Of(fmt.Sprint("filler", random.IntN(5)))}
		if spam {
			tokens = append(tokens, Of("telling"))
		}
		// The company is in most spam, and in as much of the wanted mail that nothing telling is in.
		if spam && random.IntN(10) < 6 || !spam && random.IntN(10) < 2 {
			tokens = append(tokens, Of("company"))
		}
		l.Add(tokens, spam, fmt.Sprint("source", i))
	}
	got := weightsOf(&l, "telling", "company")
	if got[0] < 1 || got[1] > got[0]/5 {
		t.Errorf("telling %.3f, company %.3f", got[0], got[1])
	}
}

func TestTheSameMessagesGiveTheSameWeights(t *testing.T) {
	if a, b := taughtApart().Tokens(), taughtApart().Tokens(); !slices.Equal(a, b) {
		t.Error("they differ")
	}
}

func TestTheMarginIsTheSumOfTheWeightsForItsLength(t *testing.T) {
	var list []PriorToken
	for _, token := range numbers(1, 2*MaxTokens) {
		list = append(list, PriorToken{token, 0.1, 0.1, 1})
	}
	prior := NewPrior(list)
	var s Scorer
	for _, n := range []int{1, 10, 100, MaxTokens, MaxTokens + 5} {
		want := math.Pow(float64(n), 1-lengthExponent)
		for from, sign := range map[int]float64{1: 1, 100001: 0} {
			r := s.Score(numbers(from, n), prior)
			if math.Abs(r.Margin-sign*want) > 1e-9 || r.Prior != int(sign)*n {
				t.Errorf("%d tokens from %d: margin %v, %d known", n, from, r.Margin, r.Prior)
			}
		}
	}
	if r := s.Score(nil, prior); r.Margin != 0 {
		t.Errorf("no token has the margin %v", r.Margin)
	}
	if r := s.Score(numbers(1, 10), nil); r.Margin != 0 || r.Prior != 0 {
		t.Errorf("no prior has the margin %v", r.Margin)
	}
}
