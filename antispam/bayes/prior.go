package bayes

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"postern/antispam/words"
)

// Prior is what is known about tokens before anybody has taught anything: in which share of spam and of wanted mail they
// stand. It is immutable, and holds no text: the tokens are hashes.
type Prior struct {
	// slots is an open-addressing table; its length is a power of two and 0 is free. A slot is a key, the quantized share of
	// spam, that of ham and the weight, from the highest bits to the lowest.
	slots  []uint64
	filter words.Filter
	count  int
}

// PriorToken is an entry of a prior: the shares of messages with the token, from 0 to 1, and how much the token speaks for
// spam beside the others of a message, from -[MaxWeight] to MaxWeight.
type PriorToken struct {
	Token     Token
	Spam, Ham float64
	Weight    float64
}

// The form of a prior: a head, then for each token in rising order the difference to the one before, the logarithms of
// the two shares, and the weight.
const (
	priorHead   = "PRIOR2\n"
	priorBits   = 40 // of a token that are kept
	shareSteps  = 18 // steps of a share for each factor of ten
	weightSteps = 40 // steps of a weight for each whole
	valueBits   = 24 // of a slot that are not its key
)

// MaxWeight is the most that a token weighs.
const MaxWeight = 127. / weightSteps

// quantize puts a share on a logarithmic scale: 255 is 1, each step down a factor of 10^(1/shareSteps). It is never
// 0, so that no slot of a token is.
func quantize(share float64) uint8 {
	if share <= 0 {
		return 1
	}
	return uint8(min(max(255+math.Round(shareSteps*math.Log10(share)), 1), 255))
}

// shares are the values of quantize's scale.
var shares = func() (t [256]float64) {
	for i := range t {
		t[i] = math.Pow(10, float64(i-255)/shareSteps)
	}
	return t
}()

// quantizeWeight puts a weight on a scale of even steps.
func quantizeWeight(weight float64) int8 {
	return int8(math.Round(weightSteps * min(max(weight, -MaxWeight), MaxWeight)))
}

func (t *PriorToken) slot() uint64 {
	return shorten(t.Token)<<valueBits | uint64(quantize(t.Spam))<<16 | uint64(quantize(t.Ham))<<8 | uint64(uint8(quantizeWeight(t.Weight)))
}

func shorten(t Token) uint64 { return uint64(t) >> (64 - priorBits) }

// canonical puts tokens into the order of a prior; of tokens that are one when they are shortened, the lowest stands for
// all. The same tokens give the same prior whatever order they come in.
func canonical(tokens []PriorToken) []PriorToken {
	list := slices.SortedFunc(slices.Values(tokens), func(a, b PriorToken) int { return cmp.Compare(a.Token, b.Token) })
	return slices.CompactFunc(list, func(a, b PriorToken) bool { return shorten(a.Token) == shorten(b.Token) })
}

// EncodePrior writes a prior.
func EncodePrior(tokens []PriorToken) []byte {
	tokens = canonical(tokens)
	out := binary.AppendUvarint([]byte(priorHead), uint64(len(tokens)))
	last := uint64(0)
	for _, t := range tokens {
		key := shorten(t.Token)
		out = binary.AppendUvarint(out, key-last)
		slot := t.slot()
		out = append(out, byte(slot>>16), byte(slot>>8), byte(slot))
		last = key
	}
	return out
}

var errPrior = errors.New("bayes: this is not a prior; make one with scripts/prior")

// DecodePrior reads what EncodePrior wrote.
func DecodePrior(b []byte) (*Prior, error) {
	if len(b) < len(priorHead) || string(b[:len(priorHead)]) != priorHead {
		return nil, errPrior
	}
	b = b[len(priorHead):]
	count, n := binary.Uvarint(b)
	if n <= 0 || count > uint64(len(b)-n)/4 {
		return nil, fmt.Errorf("%w: it names more tokens than it can hold", errPrior)
	}
	b = b[n:]
	p := newPrior(int(count))
	key := uint64(0)
	for i := range count {
		step, n := binary.Uvarint(b)
		if n <= 0 || len(b) < n+3 {
			return nil, fmt.Errorf("%w: it is cut off", errPrior)
		}
		if i > 0 && step == 0 || step >= 1<<priorBits-key {
			return nil, fmt.Errorf("%w: its tokens are not in order", errPrior)
		}
		if b[n] == 0 || b[n+1] == 0 {
			return nil, fmt.Errorf("%w: a share is none", errPrior)
		}
		key += step
		p.put(key<<valueBits | uint64(b[n])<<16 | uint64(b[n+1])<<8 | uint64(b[n+2]))
		b = b[n+3:]
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%w: %d bytes are too many", errPrior, len(b))
	}
	return p, nil
}

// NewPrior makes a prior of tokens, as it would be after EncodePrior and DecodePrior.
func NewPrior(tokens []PriorToken) *Prior {
	tokens = canonical(tokens)
	p := newPrior(len(tokens))
	for _, t := range tokens {
		p.put(t.slot())
	}
	return p
}

// filterBits are those of the filter for each token: few enough to leave room in the processor's cache.
const filterBits = 8

func newPrior(count int) *Prior {
	size := 1024
	for size < 2*count {
		size *= 2
	}
	return &Prior{slots: make([]uint64, size), filter: words.NewFilter(count, filterBits)}
}

func (p *Prior) put(slot uint64) {
	key := slot >> valueBits
	at := p.find(key)
	if p.slots[at] == 0 {
		p.count++
	}
	p.slots[at] = slot
	p.filter.Add(key)
}

// place is where the look for a key begins.
func (p *Prior) place(key uint64) int { return int(key*0x9e3779b97f4a7c15>>33) & (len(p.slots) - 1) }

func (p *Prior) find(key uint64) int {
	mask := len(p.slots) - 1
	at := p.place(key)
	for p.slots[at] != 0 && p.slots[at]>>valueBits != key {
		at = (at + 1) & mask
	}
	return at
}

// Len is the number of tokens.
func (p *Prior) Len() int { return p.count }

// Look gives what is known of a token.
func (p *Prior) Look(t Token) (known PriorToken, ok bool) {
	if p == nil {
		return PriorToken{}, false
	}
	slot := p.slots[p.find(shorten(t))]
	if slot == 0 {
		return PriorToken{}, false
	}
	spam, ham := sharesOf(slot)
	return PriorToken{t, spam, ham, weightOf(slot)}, true
}

func sharesOf(slot uint64) (spam, ham float64) { return shares[slot>>16&0xff], shares[slot>>8&0xff] }

func weightOf(slot uint64) float64 { return float64(int8(slot)) / weightSteps }

// look is a token that may be known.
type look struct {
	key  uint64
	slot uint64 // that the look begins with
	n    int    // its place among the tokens
}

// lookAll writes the shares of the tokens that are known over what spam and ham hold for them, and for those the probability
// that a message with the token is spam. It gives the sum of their weights and how many there are. The looks slice is
// working memory.
//
// The table is larger than what a processor keeps at hand, and which tokens are known nobody can foresee. So all are asked for
// before any is looked at, and the memory answers many at once.
func (p *Prior) lookAll(tokens []Token, looks []look, spam, ham, belief []float64) (weight float64, known int) {
	n := 0
	for i, t := range tokens {
		key := shorten(t)
		looks[n] = look{key: key, n: i}
		n += int(p.filter.Bit(key)) // the next one is written over it unless it passes
	}
	looks = looks[:n]
	for i := range looks {
		looks[i].slot = p.slots[p.place(looks[i].key)]
	}
	steps := 0
	for _, l := range looks {
		if l.slot != 0 && l.slot>>valueBits != l.key {
			l.slot = p.slots[p.find(l.key)]
		}
		if l.slot != 0 {
			spam[l.n], ham[l.n] = sharesOf(l.slot)
			belief[l.n] = probability(spam[l.n], ham[l.n])
			steps += int(int8(l.slot))
			known++
		}
	}
	return float64(steps) / weightSteps, known
}
