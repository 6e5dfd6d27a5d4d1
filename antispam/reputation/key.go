package reputation

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"strings"

	"postern/internal/address"
)

// Kind is what a [Key] names.
type Kind byte

// The kinds. Their numbers are part of the stored hashes.
const (
	// Network is a prefix of addresses; see [Networks].
	Network Kind = 1
	// AuthenticatedDomain is an organizational domain that SPF, DKIM or DMARC proved to be the sender's.
	AuthenticatedDomain Kind = 2
	// EnvelopeDomain is the domain of the reverse-path, proven by nothing.
	EnvelopeDomain Kind = 3
	// FromDomain is the domain of the From field, proven by nothing.
	FromDomain Kind = 4
	// Sender is a whole address.
	Sender Kind = 5
	// Helo is the name that a client greets with.
	Helo Kind = 6

	tripletKind Kind = 64
	knownKind   Kind = 65
	peerKind    Kind = 66
)

// Key names something that is counted. Names are compared without regard to case.
type Key struct {
	Kind Kind
	Name string
}

// Networks are the two networks that a client is counted under: of an IPv4 address its /24 and the address itself, of an
// IPv6 address its /48 and its /64. An IPv4 address written as IPv6 is an IPv4 address.
func Networks(client netip.Addr) [2]Key {
	wide, narrow := 48, 64
	if client.Unmap().Is4() {
		wide, narrow = 24, 32
	}
	return [2]Key{{Network, nameOf(prefix(client, wide))}, {Network, nameOf(prefix(client, narrow))}}
}

// nameOf is a network as it is written.
func nameOf(p netip.Prefix) string {
	if !p.IsValid() {
		return p.String()
	}
	var room [64]byte
	return string(p.AppendTo(room[:0]))
}

func prefix(client netip.Addr, bits int) netip.Prefix {
	p, err := client.Unmap().WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{} // of no address
	}
	return p
}

// SenderKey is the key of an address.
func SenderKey(a address.Address) Key { return Key{Sender, a.Key()} }

// hasher turns names into the numbers of rows. The secret keeps others from finding a name with the number of another.
type hasher struct{ secret []byte }

// of hashes a kind and the parts of a name.
func (h hasher) of(kind Kind, parts ...string) int64 {
	var room [320]byte
	b := append(room[:0], h.secret...)
	b = append(b, byte(kind))
	for i, part := range parts {
		if i > 0 {
			b = append(b, 0)
		}
		b = append(b, lower(part)...)
	}
	sum := sha256.Sum256(b)
	return int64(binary.LittleEndian.Uint64(sum[:]))
}

// lower folds case; most names need no folding.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' || c >= 0x80 {
			return strings.ToLower(s)
		}
	}
	return s
}
