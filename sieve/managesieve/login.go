package managesieve

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"postern/internal/reply"
	"postern/internal/sasl"
	"postern/internal/throttle"
)

// service is the server's name in the log and for app passwords.
const service = "managesieve"

// authenticate is AUTHENTICATE, an exchange of challenges and responses. RFC 5804 2.1
func (s *session) authenticate(args []argument) answer {
	mechanism := strings.ToUpper(string(args[0].data))
	switch {
	case s.tls == nil:
		return no("ENCRYPT-NEEDED", "Passwords are taken inside TLS only: send STARTTLS first")
	case s.srv.Auth == nil:
		return no("", "Nobody can log in here")
	case weak(mechanism):
		return no("AUTH-TOO-WEAK", "This mechanism is not allowed; use one that the capabilities name")
	}
	exchange, err := sasl.NewServer(mechanism, s.srv.Auth, s.tls, sasl.Before(s.logins().Before), sasl.Certificate(s.shown), sasl.Plus(s.limits.OfferPlus), sasl.DataWithSuccess())
	if err != nil {
		return no("", "There is no such mechanism; use one that the capabilities name")
	}
	final, err := s.exchange(exchange, args[1:])
	if err != nil {
		return s.loginFailed(exchange.Login(), err)
	}
	s.attempted(exchange.Login(), nil)
	a := s.admit(exchange.Identity())
	if len(final) > 0 && a.status == "OK" {
		a.code = "SASL " + string(appendString(nil, base64.StdEncoding.EncodeToString(final)))
	}
	return a
}

// weak names the mechanisms that exist and that we do not want: they show the password to whoever listens, or have the
// server keep what is as good as one. LOGIN is no registered mechanism.
func weak(mechanism string) bool {
	return slices.Contains([]string{"ANONYMOUS", "CRAM-MD5", "DIGEST-MD5", "LOGIN", "NTLM", "OTP", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SKEY"}, mechanism)
}

// exchange runs the mechanism to its end, and gives what it has to say with the success.
func (s *session) exchange(exchange sasl.Server, initial []argument) (final []byte, err error) {
	var response []byte
	if len(initial) > 0 {
		if response, err = sasl.Decode(string(initial[0].data)); err != nil {
			return nil, err
		}
	}
	for {
		challenge, done, err := exchange.Next(s.ctx, response)
		if err != nil || done {
			return challenge, err
		}
		s.say(func(b []byte) []byte {
			return append(appendString(b, base64.StdEncoding.EncodeToString(challenge)), "\r\n"...)
		})
		a, err := s.readString()
		if err != nil {
			return nil, unanswered{err}
		}
		if response, err = sasl.Decode(string(a.data)); err != nil {
			return nil, err
		}
	}
}

// unanswered is an exchange that ended because no response could be read.
type unanswered struct{ error }

func (e unanswered) Unwrap() error { return e.error }

// logins has the throttle and the log follow the attempts.
func (s *session) logins() throttle.Logins {
	return throttle.Logins{Throttle: s.srv.Throttle, Log: s.srv.log(), Service: service, Remote: s.remote}
}

// attempted tells how an attempt ended, if it was one.
func (s *session) attempted(login string, err error) {
	if s.logins().After(login, err) && s.srv.Metrics != nil {
		s.srv.Metrics.Auth(err == nil)
	}
}

// loginFailed ends an exchange, and a session that has guessed enough.
func (s *session) loginFailed(login string, err error) answer {
	if login != "" {
		s.attempted(login, err)
	}
	a := s.loginAnswer(err)
	if a.status != "NO" || a.code == "TRYLATER" {
		return a
	}
	if s.failures++; s.failures >= s.limits.AuthFailures {
		return bye("", "Too many failed logins")
	}
	return a
}

// loginAnswer is how a failed login is answered.
func (s *session) loginAnswer(err error) answer {
	var lost unanswered
	var e *misspelt
	var r *reply.Error
	switch {
	case errors.As(err, &e) && e.fatal:
		return bye(e.code, e.text)
	case errors.As(err, &e):
		return no("", e.text)
	case errors.As(err, &lost):
		return s.lost(lost.error)
	case errors.Is(err, sasl.ErrBadCredentials):
		return no("", "The name or the password is wrong")
	case errors.As(err, &r) && r.Temporary():
		return no("TRYLATER", r.Text)
	case errors.As(err, &r):
		return no("", r.Text)
	}
	s.srv.log().Error("managesieve login", "remote", s.remote, "error", err)
	return tryLater()
}

// admit makes the client a user.
func (s *session) admit(identity sasl.Identity) answer {
	if !s.srv.accounts.Enter(identity.Account, s.limits.ConnectionsAccount) {
		return no("TRYLATER", "Too many connections of this account")
	}
	s.identity, s.account = identity, identity.Account
	s.holder.Store(identity.Account)
	s.log().Debug("managesieve login")
	return ok("Logged in")
}

// unauthenticate makes the user a stranger again, inside the same TLS. RFC 5804 2.14.1
func (s *session) unauthenticate([]argument) answer {
	s.leave()
	s.started = time.Now()
	return ok("You are logged out")
}

// leave forgets the user.
func (s *session) leave() {
	if s.account == 0 {
		return
	}
	s.holder.Store(0)
	s.srv.accounts.Leave(s.account)
	s.account, s.identity = 0, sasl.Identity{}
}
