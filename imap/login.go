package imap

import (
	"encoding/base64"
	"errors"

	"postern/imap/grammar"
	"postern/internal/reply"
	"postern/internal/sasl"
	"postern/internal/store"
	"postern/internal/throttle"
)

// login is LOGIN: PLAIN by another name. RFC 9051 6.2.3
func (s *session) login(c *grammar.Login) answer {
	if err := s.logins().Before(s.ctx, c.User); err != nil {
		return s.loginRefused("", err)
	}
	identity, err := s.srv.Auth.Authenticate(s.ctx, c.User, c.Password)
	s.attempted(c.User, err)
	if err != nil {
		return s.loginRefused(c.User, err)
	}
	return s.admit(identity)
}

// authenticate is AUTHENTICATE, an exchange of challenges and responses. RFC 9051 6.2.2
func (s *session) authenticate(c *grammar.Authenticate) answer {
	state := s.conn.ConnectionState()
	if c.Mechanism == sasl.Login {
		return refuse("CANNOT", "There is no such mechanism")
	}
	exchange, err := sasl.NewServer(c.Mechanism, s.srv.Auth, &state, sasl.Before(s.logins().Before), sasl.Certificate(s.shown), sasl.Plus(s.limits.OfferPlus))
	if err != nil {
		return refuse("CANNOT", "There is no such mechanism")
	}
	var response []byte
	if c.HasInitial {
		response = c.Initial
		if response == nil {
			response = []byte{}
		}
	}
	for {
		challenge, done, err := exchange.Next(s.ctx, response)
		if err != nil {
			return s.exchangeFailed(exchange.Login(), err)
		}
		if done && len(challenge) == 0 {
			break
		}
		if response, err = s.challenge(challenge); err != nil {
			return s.exchangeLost(exchange.Login(), err)
		}
		if done {
			break // the last challenge is acknowledged by an empty response
		}
	}
	s.attempted(exchange.Login(), nil)
	return s.admit(exchange.Identity())
}

// challenge sends one and reads the response.
func (s *session) challenge(challenge []byte) ([]byte, error) {
	s.out.buf = base64.StdEncoding.AppendEncode(append(s.buffer(), "+ "...), challenge)
	s.out.buf = append(s.out.buf, "\r\n"...)
	response, err := s.reader.ReadSASL()
	if response == nil && err == nil {
		response = []byte{}
	}
	return response, err
}

// exchangeFailed ends an exchange that the mechanism or the credentials ended.
func (s *session) exchangeFailed(login string, err error) answer {
	if login != "" {
		s.attempted(login, err)
	}
	if errors.Is(err, sasl.ErrProtocol) {
		s.failures++
		s.tooManyFailures()
		return misuse("The response does not follow the mechanism")
	}
	return s.loginRefused(login, err)
}

// exchangeLost ends an exchange in which the client cancelled, or sent what is no response.
func (s *session) exchangeLost(login string, err error) answer {
	if login != "" {
		s.attempted(login, sasl.ErrCancelled)
	}
	var e *grammar.Error
	if !errors.As(err, &e) {
		s.lost(err)
		return answer{status: "BAD", silent: true}
	}
	s.failures++
	s.tooManyFailures()
	return misuse(e.Text)
}

// logins has the throttle and the log follow the attempts.
func (s *session) logins() throttle.Logins {
	return throttle.Logins{Throttle: s.srv.Throttle, Log: s.srv.log(), Service: "imap", Remote: s.remote}
}

// attempted tells how an attempt ended, if it was one.
func (s *session) attempted(login string, err error) {
	if s.logins().After(login, err) && s.srv.Metrics != nil {
		s.srv.Metrics.Auth(err == nil)
	}
}

// loginRefused is the answer to a login that failed, by the codes of RFC 5530.
func (s *session) loginRefused(login string, err error) answer {
	if errors.Is(err, sasl.ErrBadCredentials) {
		s.failures++
		s.tooManyFailures()
		return refuse("AUTHENTICATIONFAILED", "The name or the password is wrong")
	}
	var e *reply.Error
	if errors.As(err, &e) {
		return refuse("UNAVAILABLE", e.Text)
	}
	s.srv.log().Error("imap login", "remote", s.remote, "error", err)
	return refuse("UNAVAILABLE", "Temporary failure, please try again")
}

// tooManyFailures ends a connection that only guesses; the BYE comes before the tagged answer.
func (s *session) tooManyFailures() {
	if s.failures >= s.limits.AuthFailures {
		s.bye("Too many failed logins")
	}
}

// admit makes the client a user.
func (s *session) admit(identity sasl.Identity) answer {
	if !s.srv.accounts.Enter(identity.Account, s.limits.ConnectionsAccount) {
		return refuse("LIMIT", "Too many connections of this account")
	}
	s.identity = identity
	s.holder.Store(identity.Account)
	s.account = s.srv.Store.Account(store.AccountID(identity.Account))
	s.state = authenticated
	s.shown = nil
	limits := grammar.AfterLogin(s.limits.MessageBytes)
	limits.Command, limits.Literal = s.limits.CommandBytes, s.limits.LiteralBytes
	limits.AppendItems = s.limits.AppendMessages
	s.reader.SetLimits(limits)
	s.log().Debug("imap login")
	return okCode("CAPABILITY "+s.capabilities(), "Logged in")
}
