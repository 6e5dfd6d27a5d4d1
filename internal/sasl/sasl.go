// Package sasl is the server side of logging in: PLAIN, LOGIN, SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, spoken the same way
// inside SMTP, IMAP and ManageSieve.
//
// The road starts in a protocol's session, which has read "AUTH <mechanism>" inside TLS. It asks [NewServer] for the
// mechanism and hands each response of the client, already out of its base64 ([Decode]), to [Server.Next] until that
// says done or fails. The road ends at an [Authenticator], the directory, which alone knows credentials. A session that
// has login and password at once (IMAP's LOGIN command) calls the Authenticator itself.
//
// Credentials travel inside TLS only: without it [Mechanisms] is empty and [NewServer] refuses.
package sasl

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"

	"postern/internal/reply"
)

// The mechanisms, by their registered names.
const (
	Plain      = "PLAIN"
	Login      = "LOGIN"
	Scram      = "SCRAM-SHA-256"
	ScramPlus  = "SCRAM-SHA-256-PLUS"
	maxMessage = 4096 // octets of one decoded message; the longest that our own limits on names and passwords need is below 3,000
)

// Failures. Each is a [reply.Error], so reply.From gives the answer for SMTP and the words for the others; compare with errors.Is.
var (
	// ErrBadCredentials is the one answer to a wrong password, an unknown user and a disabled account.
	ErrBadCredentials error = reply.New(535, "5.7.8", "Authentication credentials invalid")
	// ErrProtocol means that the client's message does not follow its mechanism.
	ErrProtocol error = reply.New(501, "5.5.2", "Cannot understand the authentication exchange")
	// ErrCancelled means that the client sent "*" (RFC 4954 4, RFC 9051 6.2.2).
	ErrCancelled error = reply.New(501, "5.7.0", "Authentication cancelled")
	// ErrNoMechanism means that the mechanism is not offered on this connection.
	ErrNoMechanism error = reply.New(504, "5.5.4", "Authentication mechanism not offered here")
	// ErrBusy means that too many passwords wait to be checked; trying again later helps.
	ErrBusy error = reply.New(454, "4.7.0", "Too many logins at this moment, please try again later")
)

// Identity is who has logged in.
type Identity struct {
	Account int64
	Login   string // the account's canonical address, not what was typed
}

// ScramCredentials is what a server keeps of a password (RFC 5802 3); the password cannot be had from it.
type ScramCredentials struct {
	Identity   Identity
	Salt       []byte
	Iterations int
	StoredKey  []byte
	ServerKey  []byte
}

// Authenticator knows credentials. Both methods get the login as the client sent it, valid UTF-8 without NUL, and
// prepare it (see [Prepare]) as they do the password.
//
// The context carries the client's address ([WithRemote]), so that costly checks are shared fairly between networks.
type Authenticator interface {
	// Authenticate checks a password and says who it is: [ErrBadCredentials] when it is wrong, the user unknown or the
	// account disabled; [ErrBusy] when there was no time to look.
	Authenticate(ctx context.Context, login, password string) (Identity, error)
	// Scram gives what proves a password. An unknown user gets credentials that nothing can prove, always the same.
	Scram(ctx context.Context, login string) (ScramCredentials, error)
}

// Server is one exchange.
type Server interface {
	// Next takes the client's message, nil for "no initial response", and gives the next challenge, which may be empty.
	// When done is true the client is who Identity says, and challenge is nothing but what [DataWithSuccess] asked for.
	// After an error the exchange is over.
	Next(ctx context.Context, response []byte) (challenge []byte, done bool, err error)
	// Identity is who logged in, once Next has said done.
	Identity() Identity
	// Login is the name that the client claims, as typed, for the log and the throttle; "" until it is known.
	Login() string
}

// Option adds to a [Server].
type Option func(*exchange)

// Before has fn called when the claimed login is known and before anything is looked up or computed for it. What fn
// returns ends the exchange: this is where a throttle waits or refuses.
func Before(fn func(ctx context.Context, login string) error) Option {
	return func(e *exchange) { e.before = fn }
}

// Certificate gives the certificate, DER, that the server showed on this connection (see [CaptureCertificate]), without
// which the channel binding tls-server-end-point cannot be offered.
func Certificate(der []byte) Option {
	return func(e *exchange) { e.certificate = der }
}

// DataWithSuccess is for protocols that can carry data beside the success, as ManageSieve can (RFC 5804 1.3, SASL): what
// the server has to say last comes with done, and no empty response has to follow it.
func DataWithSuccess() Option {
	return func(e *exchange) { e.dataWithSuccess = true }
}

// Mechanisms lists what is offered on the connection, strongest first; nothing without TLS. With plus that includes
// SCRAM-SHA-256-PLUS, where the connection allows it: in TLS 1.3, since below it clients bind by tls-unique, which is
// broken (RFC 9266 4).
//
// Without plus the mechanism is there for those who ask for it, and only not named: programs that use GNU SASL, mutt
// among them, take the strongest name in the list and then fail, since they know no binding for TLS 1.3.
func Mechanisms(state *tls.ConnectionState, plus bool) []string {
	switch {
	case state == nil:
		return nil
	case plus && exporter(state) != nil:
		return []string{ScramPlus, Scram, Plain, Login}
	default:
		return []string{Scram, Plain, Login}
	}
}

// Plus says that SCRAM-SHA-256-PLUS was offered on the connection, so that a client which says it saw no such offer was
// lied to.
func Plus(offered bool) Option {
	return func(e *exchange) { e.offersPlus = offered && exporter(e.state) != nil }
}

// NewServer begins an exchange with the named mechanism (in any case) on a connection with the given TLS state.
// It fails with [ErrNoMechanism].
func NewServer(mechanism string, a Authenticator, state *tls.ConnectionState, options ...Option) (Server, error) {
	mechanism = strings.ToUpper(mechanism)
	if !slices.Contains(Mechanisms(state, true), mechanism) {
		return nil, ErrNoMechanism
	}
	e := exchange{auth: a, state: state}
	for _, option := range options {
		option(&e)
	}
	switch mechanism {
	case Plain:
		return &plainServer{exchange: e}, nil
	case Login:
		return &loginServer{exchange: e}, nil
	default:
		return &scramServer{exchange: e, plus: mechanism == ScramPlus, nonce: newNonce()}, nil
	}
}

// Decode reads a message as SMTP (RFC 4954 4) and IMAP (RFC 9051 6.2.2) carry it: base64, "=" for an empty initial
// response, "*" for [ErrCancelled]. The result is never nil when err is.
func Decode(line string) ([]byte, error) {
	switch {
	case line == "*":
		return nil, ErrCancelled
	case line == "=" || line == "":
		return []byte{}, nil
	case len(line) > base64.StdEncoding.EncodedLen(maxMessage):
		return nil, ErrProtocol
	}
	return decode64(line)
}

// decode64 is base64 as RFC 4648 4 has it; the standard library would skip line breaks.
func decode64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, ErrProtocol
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, ErrProtocol
	}
	return b, nil
}

type remoteKey struct{}

// WithRemote puts the client's address into the context for the [Authenticator].
func WithRemote(ctx context.Context, ip netip.Addr) context.Context {
	return context.WithValue(ctx, remoteKey{}, ip)
}

// Remote is the client's address, or the zero Addr when no one put it there.
func Remote(ctx context.Context) netip.Addr {
	ip, _ := ctx.Value(remoteKey{}).(netip.Addr)
	return ip
}

// exchange is what the mechanisms share.
type exchange struct {
	offersPlus      bool
	dataWithSuccess bool
	auth            Authenticator
	state           *tls.ConnectionState
	certificate     []byte
	before          func(ctx context.Context, login string) error
	login           string
	identity        Identity
	over            bool
}

func (e *exchange) Identity() Identity { return e.identity }
func (e *exchange) Login() string      { return e.login }

// claim notes the login and lets the throttle speak.
func (e *exchange) claim(ctx context.Context, login string) error {
	e.login = login
	if e.before == nil {
		return nil
	}
	return e.before(ctx, login)
}

// check verifies a password and that the client asks to act as itself: authorization identities of others are refused,
// with the answer that a wrong password gets.
func (e *exchange) check(ctx context.Context, authzid, login, password string) error {
	if err := e.claim(ctx, login); err != nil {
		return err
	}
	id, err := e.auth.Authenticate(ctx, login, password)
	if err != nil {
		return err
	}
	if !sameIdentity(authzid, login, id) {
		return ErrBadCredentials
	}
	e.identity = id
	return nil
}

// sameIdentity reports whether authzid names no one or the one who proved to be id.
func sameIdentity(authzid, login string, id Identity) bool {
	return authzid == "" || authzid == login || strings.EqualFold(authzid, id.Login)
}

// guard refuses what no mechanism accepts: messages after the end and oversized ones.
func (e *exchange) guard(response []byte) error {
	if e.over || len(response) > maxMessage {
		e.over = true
		return ErrProtocol
	}
	return nil
}
