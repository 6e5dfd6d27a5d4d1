package smtp

import (
	"context"
	"crypto/tls"
	"net/netip"
	"time"

	"postern/internal/address"
	"postern/internal/sasl"
	"postern/internal/spool"
	"postern/smtp/queue/dsn"
)

// Role says whom a server listens to.
type Role int

const (
	// MX takes mail from the world for local addresses (port 25): STARTTLS offered, AUTH never.
	MX Role = iota
	// Submission takes mail from users (port 587): nothing before STARTTLS and AUTH (RFC 6409).
	Submission
	// Submissions is Submission inside TLS from the first byte (port 465, RFC 8314 3.3).
	Submissions
)

// String is the role as logs and metrics name it.
func (r Role) String() string {
	switch r {
	case MX:
		return "mx"
	case Submission:
		return "submission"
	case Submissions:
		return "submissions"
	}
	return "unknown"
}

// authenticates reports whether users log in here.
func (r Role) authenticates() bool { return r != MX }

// Backend decides about mail. Its methods are called by the session's own goroutine, one at a time for a session and
// concurrently for different sessions. An error that carries a *reply.Error is answered with it; any other error is
// answered 451 4.3.0 (452 4.3.1 when storage is full) and logged.
type Backend interface {
	// Connect is called once, before the greeting. An error refuses the connection with its reply (554 or 421).
	Connect(ctx context.Context, s *Session) error
	// Mail is called for MAIL FROM. The envelope has its sender and parameters, no recipients.
	Mail(ctx context.Context, s *Session, e *Envelope) error
	// Rcpt is called for each RCPT TO. On nil the engine appends r to e.Recipients.
	Rcpt(ctx context.Context, s *Session, e *Envelope, r Recipient) error
	// Data is called with a complete message and at least one recipient. A nil error means that the message is durable;
	// text is shown behind the 250, starting with its enhanced code ("2.6.0 Queued as …"); empty gives a plain one.
	// The engine closes the content afterwards.
	Data(ctx context.Context, s *Session, e *Envelope, c *spool.Content) (text string, err error)
}

// Disconnecter is what a [Backend] may implement to learn that a session for which Connect was called is over.
type Disconnecter interface {
	Disconnect(s *Session)
}

// Session is what is known about a connected client. The backend reads it; State is the backend's own.
type Session struct {
	// ID names the session in logs and traces: 16 letters and digits.
	ID   string
	Role Role
	// Remote and Local are the ends of the connection, as the PROXY protocol tells when a trusted proxy stands between.
	// IPv4 addresses are never in their IPv6-mapped form.
	Remote, Local netip.AddrPort
	// Started is when the client connected.
	Started time.Time
	// Helo is the client's own name for itself from EHLO or HELO, with a safe syntax but unchecked.
	Helo string
	// ESMTP tells EHLO from HELO.
	ESMTP bool
	// TLS is nil in clear.
	TLS *tls.ConnectionState
	// Identity is nil until AUTH succeeded; Mechanism is the one that did.
	Identity  *sasl.Identity
	Mechanism string
	// Commands is how many commands the client has sent, the present one included.
	Commands int
	// State belongs to the backend; the engine never touches it.
	State any
}

// Protocol is the word for a Received field's "with" clause (RFC 3848, RFC 6531 4.3): SMTP, ESMTP, ESMTPS, ESMTPA,
// ESMTPSA, or UTF8SMTP and its kin when the message used SMTPUTF8.
func (s *Session) Protocol(utf8 bool) string {
	if !s.ESMTP {
		return "SMTP"
	}
	name := "ESMTP"
	if utf8 {
		name = "UTF8SMTP"
	}
	if s.TLS != nil {
		name += "S"
	}
	if s.Identity != nil {
		name += "A"
	}
	return name
}

// Envelope is one mail transaction (RFC 5321 3.3).
type Envelope struct {
	// ID names the transaction: the session's ID, a dash, and its number in the session.
	ID string
	// From is the reverse-path; zero for "<>".
	From       address.Address
	Recipients []Recipient
	// Size is what SIZE= announced, 0 if nothing (RFC 1870). What arrived is the content's size.
	Size int64
	// Body is "7BIT", "8BITMIME" or "" when the client did not say (RFC 6152).
	Body string
	// SMTPUTF8 allows UTF-8 in addresses and header (RFC 6531).
	SMTPUTF8 bool
	// RequireTLS asks that the message travels only over verified TLS (RFC 8689). Set only inside TLS.
	RequireTLS bool
	// Ret is "FULL", "HDRS" or "" (RFC 3461 4.3).
	Ret string
	// EnvID is the decoded ENVID (RFC 3461 4.4).
	EnvID string
	// Auth is the decoded AUTH= of MAIL as the client claims it, "<>" or a mailbox (RFC 4954 5); "" if absent.
	Auth string
	// Started is when MAIL came.
	Started time.Time
}

// Recipient is one forward-path with its DSN parameters.
type Recipient struct {
	// Address has an empty Domain only for <Postmaster> (RFC 5321 4.5.1).
	Address address.Address
	Notify  Notify
	// ORCPT is "type;address", decoded (RFC 3461 4.2); "" if absent.
	ORCPT string
}

// Notify says which notifications a sender wants for a recipient (RFC 3461 4.1). Zero means that NOTIFY was absent.
type Notify = dsn.Notify

// The values of NOTIFY. NotifyNever stands alone.
const (
	NotifyNever   = dsn.NotifyNever
	NotifySuccess = dsn.NotifySuccess
	NotifyFailure = dsn.NotifyFailure
	NotifyDelay   = dsn.NotifyDelay
)

// Throttle limits connections and guesses at passwords; *throttle.Throttle is one.
type Throttle interface {
	// Connect counts a connection in; release counts it out. An error refuses the connection politely.
	Connect(ip netip.Addr) (release func(), err error)
	// BeforeAuth waits as long as login's recent failures from ip ask for, or refuses.
	BeforeAuth(ctx context.Context, ip netip.Addr, login string) error
	AuthResult(ip netip.Addr, login string, ok bool)
}

// Metrics is told what happened. Its methods must be quick and safe for concurrent use.
type Metrics interface {
	// SessionOpened and SessionClosed come in pairs, for accepted connections.
	SessionOpened(r Role)
	SessionClosed(r Role, d time.Duration)
	// ConnectionRefused counts connections turned away before a greeting: "limit", "throttle", "policy", "early", "proxy", "tls".
	ConnectionRefused(r Role, reason string)
	// Command counts replies to commands. The verb is one of the protocol's or "other".
	Command(r Role, verb string, code int)
	// Auth counts finished AUTH exchanges.
	Auth(r Role, mechanism string, ok bool)
	// Message counts messages read to their end, with the final reply's code, the bytes, and the time since MAIL.
	Message(r Role, code int, size int64, d time.Duration)
}
