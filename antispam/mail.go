package antispam

import (
	"io"
	"net/netip"
	"time"

	"postern/internal/address"
	"postern/internal/message"
)

// Mail is a message as it is judged.
type Mail struct {
	Parsed  *message.Message
	Content io.ReaderAt
	// At is when it came; zero means that nobody knows, and dates are then compared with the topmost Received field.
	At time.Time
	// Relay is who handed it to us; nil when that is only known from the header, or when a user of ours submitted it.
	Relay *Relay
	// From is the reverse-path, Recipients are whom it is for; both may be unknown.
	From       address.Address
	Recipients []address.Address
}

// Relay is the client that handed a message over.
type Relay struct {
	IP   netip.Addr
	Helo string
	// Name is the client's confirmed name in the DNS; "" when it has none, which counts only if Asked.
	Name  string
	Asked bool
}
