package autoreply

import (
	"io"
	"strings"

	"postern/internal/address"
	"postern/internal/message"
)

// Options say more about an answer that is planned.
type Options struct {
	// Person are the addresses of the one in whose name the answer is. If there are any, one of them must be in To, Cc or
	// Bcc, or in their Resent- forms (RFC 5230 4.5): mail that came in another way was not written to this person.
	Person []address.Address
	// Content is the message's bytes, to judge by its text too; see [Classify]. It may be nil.
	Content io.ReaderAt
}

// May reports whether a message that came with the reverse-path from may be answered automatically, and if not, why.
func May(m *message.Message, from address.Address, o Options) (ok bool, reason string) {
	if from.IsZero() {
		return false, "the reverse-path is null" // RFC 3834 2: the answer could not be told from a notice
	}
	if kind, reason := Classify(m, o.Content); kind != Personal {
		return false, reason
	}
	if kind := localKind(from.Local); kind != Personal {
		return false, "the reverse-path is " + clip(from.Local)
	}
	if value := suppressed(m); value != "" {
		return false, "X-Auto-Response-Suppress: " + value
	}
	if len(o.Person) == 0 {
		return true, ""
	}
	if _, ok := AddressedTo(m, o.Person); !ok {
		return false, "the message is not addressed to the recipient in To or Cc"
	}
	return true, ""
}

// MayNotify reports whether a delivery notice may go to the reverse-path of a message, and if not, why. Lists want such
// notices, and so do machines that wait for them; but nothing is told about a notice (RFC 3464 2, RFC 5321 6.1), even one that
// does not come with a null reverse-path as it should.
func MayNotify(m *message.Message, from address.Address) (ok bool, reason string) {
	if from.IsZero() {
		return false, "the reverse-path is null"
	}
	if kind := localKind(from.Local); kind == Bounce {
		return false, "the reverse-path is " + clip(from.Local)
	}
	for _, sign := range []func(*message.Message, io.ReaderAt) (Kind, string){byStructure, byAutoSubmitted, bySystemFields, byAuthor} {
		if kind, reason := sign(m, nil); kind.IsNotice() {
			return false, reason
		}
	}
	return true, ""
}

// suppressed gives the value of X-Auto-Response-Suppress if it asks for silence.
func suppressed(m *message.Message) string {
	for _, f := range m.Header.All("X-Auto-Response-Suppress") {
		for word := range strings.FieldsFuncSeq(strings.ToLower(f.Value()), func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
			switch word {
			case "all", "oof", "autoreply", "dr", "ndr", "rn", "nrn":
				return clip(word)
			}
		}
	}
	return ""
}

// AddressedTo gives the one of a person's addresses that the message says it is for, in To, Cc or Bcc, or in their Resent- forms (RFC
// 5230 4.5).
func AddressedTo(m *message.Message, person []address.Address) (address.Address, bool) {
	for _, name := range []string{"To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"} {
		for _, f := range m.Header.All(name) {
			for _, box := range message.ParseAddressList(f.Value(), message.DefaultLimits.Addresses) {
				a, err := address.Parse(box.Address())
				if err != nil {
					continue
				}
				for _, own := range person {
					if a.Key() == own.Key() {
						return own, true
					}
				}
			}
		}
	}
	return address.Address{}, false
}
