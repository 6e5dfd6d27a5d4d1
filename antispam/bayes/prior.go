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
	// spam and that of ham, from the highest bits to the lowest.
	slots  []uint64
	filter words.Filter
	count  int
}

// PriorToken is an entry of a prior: the shares of messages with the token, from 0 to 1.
type PriorToken struct {
	Token     Token
	Spam, Ham float64
}

// The form of a prior: a head, then for each token in rising order the difference to the one before and the logarithms of
// the two shares.
const (
	priorHead  = "PRIOR1\n"
	priorBits  = 40 // of a token that are kept
	shareSteps = 18 // steps of a share for each factor of ten
)

// quantize puts a share on a logarithmic scale: 255 is 1, each step down a factor of 10^(1/shareSteps); 0 is nothing.
func quantize(share float64) uint8 {
	if share <= 0 {
		return 0
	}
	return uint8(min(max(255+math.Round(shareSteps*math.Log10(share)), 1), 255))
}

// shares are the values of quantize's scale.
var shares = func() (t [256]float64) {
	for i := 1; i < len(t); i++ {
		t[i] = math.Pow(10, float64(i-255)/shareSteps)
	}
	t[0] = unknown / 4
	return t
}()

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
		out = append(out, quantize(t.Spam), quantize(t.Ham))
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
	if n <= 0 || count > uint64(len(b)-n)/3 {
		return nil, fmt.Errorf("%w: it names more tokens than it can hold", errPrior)
	}
	b = b[n:]
	p := newPrior(int(count))
	key := uint64(0)
	for i := range count {
		step, n := binary.Uvarint(b)
		if n <= 0 || len(b) < n+2 {
			return nil, fmt.Errorf("%w: it is cut off", errPrior)
		}
		if i > 0 && step == 0 || step >= 1<<priorBits-key {
			return nil, fmt.Errorf("%w: its tokens are not in order", errPrior)
		}
		key += step
		p.put(key, b[n], b[n+1])
		b = b[n+2:]
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
		p.put(shorten(t.Token), quantize(t.Spam), quantize(t.Ham))
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

func (p *Prior) put(key uint64, spam, ham uint8) {
	at := p.find(key)
	if p.slots[at] == 0 {
		p.count++
	}
	p.slots[at] = (key|occupied)<<16 | uint64(spam)<<8 | uint64(ham)
	p.filter.Add(key)
}

// occupied tells a key from a free slot.
const occupied = 1 << priorBits

// place is where the look for a key begins.
func (p *Prior) place(key uint64) int { return int(key*0x9e3779b97f4a7c15>>33) & (len(p.slots) - 1) }

func (p *Prior) find(key uint64) int {
	mask := len(p.slots) - 1
	at := p.place(key)
	for p.slots[at] != 0 && p.slots[at]>>16 != key|occupied {
		at = (at + 1) & mask
	}
	return at
}

// Len is the number of tokens.
func (p *Prior) Len() int { return p.count }

// Look gives the shares of spam and of wanted mail that have the token.
func (p *Prior) Look(t Token) (spam, ham float64, ok bool) {
	if p == nil {
		return 0, 0, false
	}
	return sharesOf(p.slots[p.find(shorten(t))])
}

func sharesOf(slot uint64) (spam, ham float64, ok bool) {
	return shares[slot>>8&0xff], shares[slot&0xff], slot != 0
}

// look is a token that may be known.
type look struct {
	key  uint64
	slot uint64 // that the look begins with
	n    int    // its place among the tokens
}

// lookAll writes the shares of the tokens that are known over what spam and ham hold for them, and for those the probability
// that a message with the token is spam. The looks slice is working memory.
//
// The table is larger than what a processor keeps at hand, and which tokens are known nobody can foresee. So all are asked for
// before any is looked at, and the memory answers many at once.
func (p *Prior) lookAll(tokens []Token, looks []look, spam, ham, belief []float64) {
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
	for _, l := range looks {
		if l.slot != 0 && l.slot>>16 != l.key|occupied {
			l.slot = p.slots[p.find(l.key)]
		}
		if l.slot != 0 {
			spam[l.n], ham[l.n], _ = sharesOf(l.slot)
			belief[l.n] = probability(spam[l.n], ham[l.n])
		}
	}
}
