package smtp

import "time"

// Limits bounds what a client may ask for. They are read anew for each session and each transaction, so that a changed
// setting holds from the next one on. A zero field means its default; see [DefaultLimits].
type Limits struct {
	// MaxMessageSize is in bytes, dots unstuffed (RFC 1870).
	MaxMessageSize int64
	// MaxRecipients of one message (RFC 5321 4.5.3.1.8 asks for at least 100).
	MaxRecipients int
	// MaxErrors is how many commands of a session may fail before it is closed with 421.
	MaxErrors int
	// MaxRefused is how many recipients a session that is not authenticated may have refused before it is closed with 421:
	// who goes on beyond that is guessing addresses.
	MaxRefused int
	// MaxIdleCommands is how many commands may pass without a message getting anywhere (NOOP, RSET, VRFY, EHLO, MAIL …).
	MaxIdleCommands int
	// MaxCommands of a session, chunks of messages aside.
	MaxCommands int
	// MaxMessages accepted in a session before it is closed with 421.
	MaxMessages int
	// OfferPlus names SCRAM-SHA-256-PLUS among the mechanisms; see [sasl.Mechanisms].
	OfferPlus bool
	// MaxAuthFailures of a session before it is closed with 421.
	MaxAuthFailures int
	// MaxConnections is how many sessions this server holds at a time.
	MaxConnections int
	// MaxLineLength of message text in bytes. RFC 5321 4.5.3.1.6 promises 998 to senders; real mail has far longer lines
	// (HTML of careless programs), and they are stored as they came. What exceeds this limit is refused with 554 5.6.0.
	MaxLineLength int64
	// IdleTimeout bounds each single read and write (RFC 5321 4.5.3.2.7 asks for at least 5 minutes).
	IdleTimeout time.Duration
	// SessionTimeout bounds the time between two steps forward: the connection, AUTH, a message sent to its end.
	SessionTimeout time.Duration
	// LoginTimeout bounds the time from the connection to a successful AUTH on the submission ports.
	LoginTimeout time.Duration
	// DataTimeout bounds the time a message may take, extended by one second for each MinDataRate bytes that arrived.
	DataTimeout time.Duration
	MinDataRate int64
	// HandshakeTimeout bounds a TLS handshake and the PROXY header.
	HandshakeTimeout time.Duration
	// GreetDelay is how long the greeting is held back on port 25 to see who talks first; none by default.
	GreetDelay time.Duration
}

// DefaultLimits are used where [Limits] has zeros, and when a server has no Settings.
var DefaultLimits = Limits{
	MaxMessageSize:   50 << 20,
	MaxRecipients:    100,
	MaxErrors:        10,
	MaxRefused:       50,
	MaxIdleCommands:  500,
	MaxCommands:      10_000,
	MaxMessages:      1000,
	MaxAuthFailures:  3,
	MaxConnections:   1000,
	MaxLineLength:    1 << 20,
	IdleTimeout:      5 * time.Minute,
	SessionTimeout:   30 * time.Minute,
	LoginTimeout:     2 * time.Minute,
	DataTimeout:      10 * time.Minute,
	MinDataRate:      16 << 10,
	HandshakeTimeout: time.Minute,
}

// withDefaults fills in what is zero.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	return Limits{
		MaxMessageSize:   or(l.MaxMessageSize, d.MaxMessageSize),
		MaxRecipients:    or(l.MaxRecipients, d.MaxRecipients),
		MaxErrors:        or(l.MaxErrors, d.MaxErrors),
		MaxRefused:       or(l.MaxRefused, d.MaxRefused),
		MaxIdleCommands:  or(l.MaxIdleCommands, d.MaxIdleCommands),
		MaxCommands:      or(l.MaxCommands, d.MaxCommands),
		MaxMessages:      or(l.MaxMessages, d.MaxMessages),
		MaxAuthFailures:  or(l.MaxAuthFailures, d.MaxAuthFailures),
		MaxConnections:   or(l.MaxConnections, d.MaxConnections),
		MaxLineLength:    or(l.MaxLineLength, d.MaxLineLength),
		IdleTimeout:      or(l.IdleTimeout, d.IdleTimeout),
		SessionTimeout:   or(l.SessionTimeout, d.SessionTimeout),
		LoginTimeout:     or(l.LoginTimeout, d.LoginTimeout),
		DataTimeout:      or(l.DataTimeout, d.DataTimeout),
		MinDataRate:      or(l.MinDataRate, d.MinDataRate),
		HandshakeTimeout: or(l.HandshakeTimeout, d.HandshakeTimeout),
		GreetDelay:       l.GreetDelay,
		OfferPlus:        l.OfferPlus,
	}
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
