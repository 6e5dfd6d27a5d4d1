package bayes

import (
	"math"
	"slices"
)

// The constants of the combination. They were chosen by cross-validation within the training corpus; docs/spam-engine.md has what came of it.
const (
	// strength is how many messages of a class the knowledge of the level above counts as when a level's own counts are
	// read, at least; with more than that, it counts half as much as they do, for one's own mail is not the mail of others:
	// whoever has wanted mail from lists alone would take the first newsletter for spam.
	strength, strengthShare = 20, 0.5
	// belief is how many sightings a token needs before its own probability outweighs what the level above says.
	belief = 1.0
	// unknown is the share of messages that a token which nobody has seen is taken to be in.
	unknown = 0.0005
	// interesting is how far from one half a token's probability must be to count; mostTokens is how many count.
	interesting = 0.1
	mostTokens  = 150
	// independence tells how much one token says when the others are known: words come in company (Robinson's effective
	// size factor).
	independence = 0.5
	// few tokens are too few to be sure by: the index of fewer is drawn towards the middle.
	few = 12
	// certain keeps one token from deciding alone.
	certain = 0.995
)

// Result is what the words say.
type Result struct {
	// Index is from 0 (wanted) over 0.5 (cannot tell) to 1 (spam).
	Index float64
	// Known is the number of tokens that were seen before, Used of those that counted.
	Known, Used int
	// Margin is what the weights of the prior say, without the models: below 0 wanted, above 0 spam; some -3 to 3.
	Margin float64
	// Prior is the number of tokens that the prior knows.
	Prior int
}

// Scorer combines the tokens of messages; it keeps buffers, so one serves one goroutine at a time.
type Scorer struct {
	counts []Count
	spam   []float64
	ham    []float64
	belief []float64
	looks  []look
	order  []uint64 // ranks
	edge   []uint64 // those among which the last ones are chosen
}

// Score asks the models, from the most general to the most particular, about the tokens. A nil model is passed over.
//
// Each level's counts are read with the level above as what one would believe without them: an account that taught ten
// messages is heard about the words in them, and no further.
func (s *Scorer) Score(tokens []Token, prior *Prior, models ...Model) Result {
	weight, known := s.begin(tokens, prior)
	for _, m := range models {
		if m != nil {
			s.refine(tokens, m)
		}
	}
	r := s.combine(len(tokens))
	r.Margin, r.Prior = weight*lengthShare(known), known
	return r
}

// begin puts down what the prior says.
func (s *Scorer) begin(tokens []Token, prior *Prior) (weight float64, known int) {
	n := len(tokens)
	s.spam, s.ham, s.belief = slices.Grow(s.spam[:0], n)[:n], slices.Grow(s.ham[:0], n)[:n], slices.Grow(s.belief[:0], n)[:n]
	for i := range n {
		s.spam[i], s.ham[i], s.belief[i] = unknown, unknown, 0.5
	}
	if prior == nil {
		return 0, 0
	}
	s.looks = slices.Grow(s.looks[:0], n)[:n]
	return prior.lookAll(tokens, s.looks, s.spam, s.ham, s.belief)
}

func probability(spam, ham float64) float64 { return spam / (spam + ham) }

// refine puts a level's counts over what is believed so far.
func (s *Scorer) refine(tokens []Token, m Model) {
	totals := m.Totals()
	if totals.Spam == 0 && totals.Ham == 0 {
		return
	}
	s.counts = slices.Grow(s.counts[:0], len(tokens))[:len(tokens)]
	m.Counts(tokens, s.counts)
	aboveSpam, aboveHam := strengthBeside(totals.Spam), strengthBeside(totals.Ham)
	nspam, nham := float64(totals.Spam)+aboveSpam, float64(totals.Ham)+aboveHam
	for i, c := range s.counts {
		seen := float64(c.Spam) + float64(c.Ham)
		spam := (float64(c.Spam) + aboveSpam*s.spam[i]) / nspam
		ham := (float64(c.Ham) + aboveHam*s.ham[i]) / nham
		s.spam[i], s.ham[i] = spam, ham
		s.belief[i] = (belief*s.belief[i] + seen*probability(spam, ham)) / (belief + seen)
	}
}

// strengthBeside is as how many messages the level above counts beside so many of one's own.
func strengthBeside(messages uint32) float64 { return max(strength, strengthShare*float64(messages)) }

// combine is Fisher's method (Robinson 2003): how unlikely it is that so many tokens point one way by chance.
func (s *Scorer) combine(n int) Result {
	r := Result{Index: 0.5, Known: s.rankAll(n)}
	s.keepMostTelling()
	var logSpam, logHam logSum
	for _, o := range s.order {
		p := min(max(s.belief[uint32(o)], 1-certain), certain)
		logSpam.add(p)
		logHam.add(1 - p)
	}
	r.Used = len(s.order)
	if r.Used == 0 {
		return r
	}
	freedom := max(1, int(math.Round(independence*float64(r.Used))))
	// Many tokens that are ham make logSpam very low, and so h small; the other way round for s.
	h := chiSquare(-2*independence*logSpam.value(), freedom)
	sp := chiSquare(-2*independence*logHam.value(), freedom)
	r.Index = 0.5 + (h-sp)/2*min(1, float64(r.Used)/few)
	return r
}

// rankAll puts the ranks of the telling tokens into s.order, as they come, and counts the tokens that are known. Which tokens
// tell something no processor foresees: each rank is written, and stays if the next one is not written over it.
func (s *Scorer) rankAll(n int) (known int) {
	s.order = slices.Grow(s.order[:0], n)[:n]
	telling, unknown := 0, 0
	for i, p := range s.belief[:n] {
		t := math.Abs(p - 0.5)
		s.order[telling] = rank(min(t, certain-0.5), i)
		telling += 1 - isNegative(t-interesting)
		unknown += isNegative(t - math.SmallestNonzeroFloat64)
	}
	s.order = s.order[:telling]
	return n - unknown
}

// isNegative is 1 for numbers below 0.
func isNegative(x float64) int { return int(math.Float64bits(x) >> 63) }

// keepMostTelling leaves the mostTokens lowest ranks in s.order. They are counted by their high bits, which tells up to where
// the lowest ones reach; only among those that share the last class are they compared.
func (s *Scorer) keepMostTelling() {
	if len(s.order) <= mostTokens {
		return
	}
	var counts [1 << rankBits]int32
	for _, o := range s.order {
		counts[rankClass(o)]++
	}
	last, below := 0, 0
	for below+int(counts[last]) < mostTokens {
		below += int(counts[last])
		last++
	}
	kept := s.order[:0]
	s.edge = s.edge[:0]
	for _, o := range s.order {
		switch class := rankClass(o); {
		case class < last:
			kept = append(kept, o)
		case class == last:
			s.edge = append(s.edge, o)
		}
	}
	slices.Sort(s.edge)
	s.order = append(kept, s.edge[:mostTokens-below]...)
}

// rank puts the most telling tokens first, and among equals the earlier ones: the bits of a positive number are in the
// order of the numbers.
func rank(telling float64, index int) uint64 {
	return uint64(^math.Float32bits(float32(telling)))<<32 | uint64(uint32(index))
}

// rankBits are those that rankClass makes of a rank.
const rankBits = 8

// mostTelling and leastTelling are the ends of the ranks.
var mostTelling, leastTelling = rank(certain-0.5, 0), rank(interesting, math.MaxUint32)

// rankClass is one of 1 << rankBits classes in the order of the ranks.
func rankClass(rank uint64) int {
	return int((rank - mostTelling) >> 32 << rankBits / ((leastTelling-mostTelling)>>32 + 1))
}

// logSum is a sum of logarithms. It takes one logarithm for many numbers, from 1-certain to 1, by multiplying them.
type logSum struct {
	sum, product float64
	count        int
}

// logEach keeps the product far from underflow.
const logEach = 100

func (l *logSum) add(x float64) {
	if l.count == 0 {
		l.product = 1
	}
	l.product *= x
	if l.count++; l.count == logEach {
		l.sum, l.count = l.value(), 0
	}
}

func (l *logSum) value() float64 {
	if l.count == 0 {
		return l.sum
	}
	return l.sum + math.Log(l.product)
}

// chiSquare is the probability that a chi-square variable with twice n degrees of freedom is at least x.
func chiSquare(x float64, n int) float64 {
	m := x / 2
	term := math.Exp(-m)
	sum := term
	for i := 1; i < n; i++ {
		term *= m / float64(i)
		sum += term
	}
	return min(sum, 1)
}
