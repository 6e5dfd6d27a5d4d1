package store

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Flags is a set of flags of one message: bits 0 to 4 are the system flags, bits 5 to 62 the keywords of its mailbox.
type Flags uint64

// The system flags (RFC 9051 2.3.2).
const (
	Seen Flags = 1 << iota
	Answered
	Flagged
	Deleted
	Draft
)

const (
	firstKeyword = 5
	// maxKeywords is how many different keywords a mailbox can hold; bit 63 stays free, the database's integers are signed.
	maxKeywords   = 58
	maxKeywordLen = 100
	systemMask    = Seen | Answered | Flagged | Deleted | Draft
	freeBit       = "-" // stands for an unused bit in the column mailboxes.keywords; it is no valid keyword of ours
)

// systemFlags in the order of their bits. Read-only.
var systemFlags = [firstKeyword]string{`\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft`}

// dictionary gives a mailbox's keywords their bits: an immutable value.
type dictionary struct {
	words []string // words[i] is bit firstKeyword+i, "" where the bit is free
}

func parseDictionary(column string) *dictionary {
	d := &dictionary{}
	for _, w := range strings.Fields(column) {
		if w == freeBit {
			w = ""
		}
		d.words = append(d.words, w)
	}
	return d
}

// column is the dictionary as the database keeps it.
func (d *dictionary) column() string {
	words := slices.Clone(d.words)
	for i, w := range words {
		if w == "" {
			words[i] = freeBit
		}
	}
	return strings.Join(words, " ")
}

// bit finds a flag by name, without regard to case (RFC 9051 2.3.2).
func (d *dictionary) bit(name string) (Flags, bool) {
	if strings.HasPrefix(name, `\`) {
		for i, s := range systemFlags {
			if strings.EqualFold(s, name) {
				return 1 << i, true
			}
		}
		return 0, false
	}
	for i, w := range d.words {
		if w != "" && strings.EqualFold(w, name) {
			return 1 << (firstKeyword + i), true
		}
	}
	return 0, false
}

// with gives a dictionary that has the keyword. used holds the bits that messages carry: when all are taken, those
// that no message carries are freed.
func (d *dictionary) with(name string, used func() (Flags, error)) (*dictionary, Flags, error) {
	n := &dictionary{words: slices.Clone(d.words)}
	if i := slices.Index(n.words, ""); i >= 0 {
		n.words[i] = name
		return n, 1 << (firstKeyword + i), nil
	}
	if len(n.words) < maxKeywords {
		n.words = append(n.words, name)
		return n, 1 << (firstKeyword + len(n.words) - 1), nil
	}
	inUse, err := used()
	if err != nil {
		return nil, 0, err
	}
	for i := range n.words {
		if inUse&(1<<(firstKeyword+i)) == 0 {
			n.words[i] = ""
		}
	}
	i := slices.Index(n.words, "")
	if i < 0 {
		return nil, 0, ErrTooManyKeywords
	}
	n.words[i] = name
	return n, 1 << (firstKeyword + i), nil
}

// all lists the system flags and the keywords.
func (d *dictionary) all() []string {
	names := slices.Clone(systemFlags[:])
	for _, w := range d.words {
		if w != "" {
			names = append(names, w)
		}
	}
	return names
}

// name is the flag of one bit, "" when the bit is free.
func (d *dictionary) name(bit int) string {
	if bit < firstKeyword {
		return systemFlags[bit]
	}
	if i := bit - firstKeyword; i < len(d.words) {
		return d.words[i]
	}
	return ""
}

// appendTo writes the names of f with spaces between them.
func (d *dictionary) appendTo(dst []byte, f Flags) []byte {
	first := true
	for ; f != 0; f &= f - 1 {
		name := d.name(bits.TrailingZeros64(uint64(f)))
		if name == "" {
			continue
		}
		if !first {
			dst = append(dst, ' ')
		}
		first = false
		dst = append(dst, name...)
	}
	return dst
}

// IsFlag reports whether a flag may be set on a message: a system flag, or a keyword as IMAP writes it.
func IsFlag(name string) bool { return checkFlag(name) == nil }

// checkFlag tells whether a flag may be set on a message.
func checkFlag(name string) error {
	if strings.HasPrefix(name, `\`) {
		for _, s := range systemFlags {
			if strings.EqualFold(s, name) {
				return nil
			}
		}
		return fmt.Errorf("%w: %q", ErrBadFlag, name)
	}
	if name == "" || name == freeBit || len(name) > maxKeywordLen {
		return fmt.Errorf("%w: %q", ErrBadFlag, name)
	}
	for i := 0; i < len(name); i++ {
		// A flag-keyword is an atom (RFC 9051 9).
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return fmt.Errorf("%w: %q", ErrBadFlag, name)
		}
	}
	return nil
}
