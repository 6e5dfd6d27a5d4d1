package throttle

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"

	"postern/internal/sasl"
)

// Logins are one client's attempts to log in to one service: the throttle allows them, and it and the log are told how they
// end.
type Logins struct {
	// Throttle is a [Throttle] or what stands for one; nil allows everything.
	Throttle interface {
		BeforeAuth(ctx context.Context, ip netip.Addr, login string) error
		AuthResult(ip netip.Addr, login string, ok bool)
	}
	Log     *slog.Logger
	Service string // as in [LogFailure]
	Remote  netip.Addr
}

// refused is why no password was looked at.
type refused struct{ error }

func (e refused) Unwrap() error { return e.error }

// Before asks whether a password of the login may be looked at; the error is for the client. It fits [sasl.Before].
func (l Logins) Before(ctx context.Context, login string) error {
	if l.Throttle == nil {
		return nil
	}
	if err := l.Throttle.BeforeAuth(ctx, l.Remote, login); err != nil {
		LogFailure(l.Log, l.Service, l.Remote, login, "throttled")
		return refused{err}
	}
	return nil
}

// After tells how an attempt ended: nil is a success. It reports whether it was one at all, which it was not when Before had
// refused it.
func (l Logins) After(login string, err error) bool {
	if errors.As(err, new(refused)) {
		return false
	}
	if l.Throttle != nil {
		l.Throttle.AuthResult(l.Remote, login, err == nil)
	}
	if errors.Is(err, sasl.ErrBadCredentials) {
		LogFailure(l.Log, l.Service, l.Remote, login, "credentials")
	}
	return true
}
