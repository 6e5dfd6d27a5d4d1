package bayes

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// The weights are those of a logistic regression over the tokens of a message, each there or not. Where the shares of the
// tokens are counted one by one, these are fitted together: what a token says beside the others that come with it. They
// are found by stochastic gradient descent, with a rate for each token that falls as it is seen (Duchi, Hazan and Singer,
// "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", 2011).
//
// All constants were chosen within the earlier half of the training corpus; half or twice of any changes little.
const (
	rounds    = 10    // how often each message is seen
	rate      = 0.3   // the first step
	shrinkage = 0.001 // how much a weight is drawn to 0 with each step
	// spread2 keeps the first steps finite.
	spread2 = 1e-8
	// lengthExponent is how much each of many tokens counts less than each of a few: their sum grows with the square root if
	// they say nothing, and with their number if all say the same.
	lengthExponent = 0.6
)

// lengthShare is what the sum of the weights of so many tokens is multiplied with.
func lengthShare(tokens int) float64 {
	if tokens < len(lengthShares) {
		return lengthShares[tokens]
	}
	return math.Pow(float64(tokens), -lengthExponent)
}

var lengthShares = func() (t [MaxTokens + 1]float64) {
	for i := 1; i < len(t); i++ {
		t[i] = math.Pow(float64(i), -lengthExponent)
	}
	return t
}()

// lesson is a message as the regression sees it.
type lesson struct {
	tokens     []int32 // their places in the list
	spam       float64 // 1 or 0
	importance float64
}

// weigh puts the tokens in order and finds their weights. The same messages in the same order give the same weights.
func (l *Learner) weigh(list []PriorToken) {
	slices.SortFunc(list, func(a, b PriorToken) int { return cmp.Compare(a.Token, b.Token) })
	lessons := l.lessons(list)
	weights, slopes := make([]float64, len(list)), make([]float64, len(list))
	random := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		random.Shuffle(len(lessons), func(i, j int) { lessons[i], lessons[j] = lessons[j], lessons[i] })
		for i := range lessons {
			lessons[i].teach(weights, slopes)
		}
	}
	for i, w := range weights {
		list[i].Weight = w
	}
}

// lessons are the messages that have any of the tokens. Both classes are as important, and a source of wanted mail no more
// than perSource messages.
func (l *Learner) lessons(list []PriorToken) []lesson {
	places := make(map[Token]int32, len(list))
	for i, t := range list {
		places[t.Token] = int32(i)
	}
	ham := 0.0
	for _, m := range l.ham {
		ham += l.hamWeight(m)
	}
	var lessons []lesson
	add := func(m learned, spam, importance float64) {
		x := lesson{spam: spam, importance: importance}
		for _, t := range m.tokens {
			if at, ok := places[t]; ok {
				x.tokens = append(x.tokens, at)
			}
		}
		if len(x.tokens) > 0 {
			lessons = append(lessons, x)
		}
	}
	for _, m := range l.spam {
		add(m, 1, 1)
	}
	for _, m := range l.ham {
		add(m, 0, l.hamWeight(m)*float64(len(l.spam))/ham)
	}
	return lessons
}

// teach moves the weights of the lesson's tokens towards what it says. The slopes are the sums of the squares of all steps
// before.
func (x *lesson) teach(weights, slopes []float64) {
	share := lengthShare(len(x.tokens))
	sum := 0.0
	for _, t := range x.tokens {
		sum += weights[t]
	}
	wrong := (1/(1+math.Exp(-share*sum)) - x.spam) * x.importance
	for _, t := range x.tokens {
		slope := wrong*share + shrinkage*weights[t]
		slopes[t] += slope * slope
		weights[t] -= rate * slope / math.Sqrt(slopes[t]+spread2)
	}
}
