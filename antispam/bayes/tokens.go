package bayes

import "postern/antispam/words"

// MaxTokens is how many different tokens of one message count; the first ones.
const MaxTokens = 2000

// Set gathers the different tokens of a message. The zero value is ready; Reset readies it for the next message.
type Set struct {
	list []Token
	// table holds places in list plus one; its length is a power of two.
	table []uint16
}

// Reset forgets the tokens.
func (s *Set) Reset() {
	if len(s.list) > 0 {
		clear(s.table)
	}
	s.list = s.list[:0]
}

// Tokens are the different tokens in the order of their coming. The slice holds until Reset.
func (s *Set) Tokens() []Token { return s.list }

// Add adds a token, unless there are MaxTokens.
func (s *Set) Add(t Token) {
	if len(s.list) == MaxTokens {
		return
	}
	if 2*len(s.list) >= len(s.table) {
		s.grow()
	}
	mask := uint64(len(s.table) - 1)
	at := spread(t) & mask
	for ; s.table[at] != 0; at = (at + 1) & mask {
		if s.list[s.table[at]-1] == t {
			return
		}
	}
	s.list = append(s.list, t)
	s.table[at] = uint16(len(s.list))
}

func (s *Set) grow() {
	n := max(512, 2*len(s.table))
	s.table = make([]uint16, n)
	mask := uint64(n - 1)
	for i, t := range s.list {
		at := spread(t) & mask
		for s.table[at] != 0 {
			at = (at + 1) & mask
		}
		s.table[at] = uint16(i + 1)
	}
}

// spread makes the low bits depend on all others.
func spread(t Token) uint64 { return uint64(t) * 0x9e3779b97f4a7c15 >> 17 }

// Of is the token of a feature that has a name, such as "subject:free" or "html:form".
func Of(name string) Token { return Token(words.Hash(name)) }

// Within is the token of a word in a place of its own, such as the subject; the place is named by a token.
func Within(place Token, word uint64) Token { return Token(words.Join(uint64(place), word)) }
