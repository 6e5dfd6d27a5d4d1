package bayes

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Prior is what is known about tokens before anybody has taught anything: in which share of spam and of wanted mail they
// stand. It is immutable, and holds no text: the tokens are hashes.
type Prior struct {
	// slots is an open-addressing table; its length is a power of two and 0 is free. A slot is a key, the quantized share of
	// spam and that of ham, from the highest bits to the lowest.
	slots []uint64
	count int
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

func newPrior(count int) *Prior {
	size := 1024
	for size < 2*count {
		size *= 2
	}
	return &Prior{slots: make([]uint64, size)}
}

func (p *Prior) put(key uint64, spam, ham uint8) {
	at := p.find(key)
	if p.slots[at] == 0 {
		p.count++
	}
	p.slots[at] = (key|occupied)<<16 | uint64(spam)<<8 | uint64(ham)
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

// lookAll writes the shares of tokens that are known over what spam and ham hold for them, and for those the probability that a
// message with the token is spam. The table is larger than what the processor keeps at hand: all first places are asked for
// before any is looked at, so that the memory answers many at once.
func (p *Prior) lookAll(tokens []Token, slots []uint64, spam, ham, belief []float64) {
	for i, t := range tokens {
		slots[i] = p.slots[p.place(shorten(t))]
	}
	for i, slot := range slots {
		if slot == 0 {
			continue
		}
		if key := shorten(tokens[i]); slot>>16 != key|occupied {
			if slot = p.slots[p.find(key)]; slot == 0 {
				continue
			}
		}
		spam[i], ham[i], _ = sharesOf(slot)
		belief[i] = probability(spam[i], ham[i])
	}
}
