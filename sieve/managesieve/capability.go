package managesieve

import (
	"slices"
	"strconv"
	"strings"

	"postern/internal/sasl"
)

// greet starts the conversation, and starts it again inside TLS. RFC 5804 1.7, 2.2
func (s *session) greet() {
	s.sayCapabilities()
	text := "Postern ready"
	if s.srv.Hostname != "" {
		text = s.srv.Hostname + " " + text
	}
	s.answer(ok(text))
}

// capability tells what there is in the session's state. RFC 5804 2.4
func (s *session) capability([]argument) answer {
	s.sayCapabilities()
	return ok("Capability completed")
}

// sayCapabilities lists them. RFC 5804 1.7
func (s *session) sayCapabilities() {
	name := "Postern"
	if s.srv.Version != "" && s.account != 0 {
		name += " " + s.srv.Version
	}
	s.sayCapability("IMPLEMENTATION", name)
	s.sayCapability("SASL", strings.Join(s.mechanisms(), " ")) // none only where STARTTLS stands beside it
	extensions := s.srv.Compiler.Extensions()
	s.sayCapability("SIEVE", strings.Join(extensions, " "))
	if slices.Contains(extensions, "enotify") {
		s.sayCapability("NOTIFY", "mailto")
	}
	if s.srv.MaxRedirects > 0 {
		s.sayCapability("MAXREDIRECTS", strconv.Itoa(s.srv.MaxRedirects))
	}
	if s.tls == nil && s.srv.TLS != nil {
		s.say(func(b []byte) []byte { return append(b, "\"STARTTLS\"\r\n"...) })
	}
	s.say(func(b []byte) []byte { return append(b, "\"UNAUTHENTICATE\"\r\n"...) }) // RFC 5804 2.14.1
	if s.account != 0 {
		s.sayCapability("OWNER", s.identity.Login)
	}
	s.sayCapability("VERSION", "1.0")
}

func (s *session) sayCapability(name, value string) {
	s.say(func(b []byte) []byte {
		b = append(appendString(b, name), ' ')
		return append(appendString(b, value), "\r\n"...)
	})
}

// mechanisms are those that a client may log in with: none outside TLS.
func (s *session) mechanisms() []string {
	if s.srv.Auth == nil {
		return nil
	}
	return slices.DeleteFunc(sasl.Mechanisms(s.tls, s.limits.OfferPlus), func(name string) bool {
		return name == sasl.Login // not a registered mechanism; for SMTP's old clients
	})
}
