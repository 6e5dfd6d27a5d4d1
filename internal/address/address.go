// Package address reads and writes the mail addresses of the SMTP envelope.
package address

// Address is a mailbox as the envelope knows it.
type Address struct {
	// Local is the local part without quoting, UTF-8 in NFC, case kept.
	Local string
	// Domain is lower-case A-labels, or an address literal such as "[192.0.2.1]" or "[IPv6:2001:db8::1]".
	// It is empty only for the bare Postmaster (RFC 5321 4.1.1.3) and the zero Address, which is the null path.
	Domain string
}

// Parse reads an addr-spec without angle brackets.
func Parse(s string) (Address, error) { return Address{}, nil }

// ParsePath reads a path in angle brackets and gives what follows it (the parameters). "<>" is the zero Address.
func ParsePath(s string) (a Address, rest string, err error) { return Address{}, "", nil }

// NormalizeDomain gives a domain name as lower-case A-labels.
func NormalizeDomain(s string) (string, error) { return "", nil }

// String is the form for SMTP.
func (a Address) String() string { return "" }

// Unicode is the form for people: the domain in U-labels.
func (a Address) Unicode() string { return "" }

// IsZero reports whether a is the null path.
func (a Address) IsZero() bool { return a == Address{} }

// NeedsUTF8 reports whether the local part needs SMTPUTF8.
func (a Address) NeedsUTF8() bool { return false }

// Key is the same for all spellings that mean one mailbox here: case folded.
func (a Address) Key() string { return "" }
