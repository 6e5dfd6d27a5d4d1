package queue_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"

	"postern/smtp/client"
	"postern/smtp/queue"
)

// TestEachSessionTellsHowItsTLSWent: what reports to the destination are made from.
func TestEachSessionTellsHowItsTLSWent(t *testing.T) {
	cert, pool := certificate(t, "mx1.one.test")
	wrong, _ := certificate(t, "other.test")
	verified := func(context.Context, string, string) (queue.TLSPolicy, error) {
		return queue.TLSPolicy{Mode: queue.Verified, Name: "sts"}, nil
	}
	broken := errors.New("no policy to be had")
	for name, c := range map[string]struct {
		server func(n *internet)
		policy func(context.Context, string, string) (queue.TLSPolicy, error)
		want   func(s queue.Session) bool
	}{
		"TLS": {func(n *internet) {
			n.at("192.0.2.1", tlsServer(&tls.Config{Certificates: []tls.Certificate{cert}}, "HELP"))
		}, nil,
			func(s queue.Session) bool { return s.Err == nil && s.Version == tls.VersionTLS13 }},
		"no STARTTLS": {func(n *internet) { n.at("192.0.2.1", dialogue(nil)) }, nil,
			func(s queue.Session) bool { return errors.Is(s.Err, client.ErrNoTLS) && s.Version == 0 }},
		"no common version": {func(n *internet) {
			n.at("192.0.2.1", tlsServer(&tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: tls.VersionTLS10}, "HELP"))
		}, nil, func(s queue.Session) bool { return s.Err != nil && s.Version == 0 }},
		"another name": {func(n *internet) {
			n.at("192.0.2.1", tlsServer(&tls.Config{Certificates: []tls.Certificate{wrong}}, "HELP"))
		}, verified,
			func(s queue.Session) bool {
				return s.Policy.Name == "sts" && (errors.As(s.Err, new(x509.HostnameError)) || errors.As(s.Err, new(x509.UnknownAuthorityError)))
			}},
		"the right name": {func(n *internet) {
			n.at("192.0.2.1", tlsServer(&tls.Config{Certificates: []tls.Certificate{cert}}, "HELP"))
		}, verified,
			func(s queue.Session) bool { return s.Err == nil && s.Policy.Name == "sts" }},
		"no policy": {func(n *internet) { n.at("192.0.2.1", dialogue(nil)) },
			func(context.Context, string, string) (queue.TLSPolicy, error) {
				return queue.TLSPolicy{Name: "sts"}, broken
			},
			func(s queue.Session) bool { return errors.Is(s.Err, broken) && s.Policy.Name == "sts" }},
	} {
		n := newInternet(t, "one.test. IN MX 10 mx1.one.test.\nmx1.one.test. IN A 192.0.2.1\n")
		c.server(n)
		var told []queue.Session
		n.o.Roots, n.o.Policy = pool, c.policy
		n.o.OnSession = func(s queue.Session) { told = append(told, s) }
		n.deliver(job("a@one.test", "b@one.test"))
		if len(told) != 1 || !c.want(told[0]) {
			t.Errorf("%s: %+v", name, told)
			continue
		}
		s := told[0]
		if s.Destination != "one.test" || s.Host != "mx1.one.test" || s.Remote.String() != "192.0.2.1" || s.From != "alice@us.test" || c.policy == nil && s.Local.String() != "127.0.0.1" {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestSessionsThatTellNothingAboutTheDestinationAreNotTold(t *testing.T) {
	n := newInternet(t, "one.test. IN MX 10 mx1.one.test.\nmx1.one.test. IN A 192.0.2.1\n")
	n.dns.SetAuthentic("", true) // so that REQUIRETLS comes to a session
	n.o.OnSession = func(s queue.Session) { t.Errorf("told %+v", s) }
	n.deliver(job("a@one.test")) // nobody listens
	n.at("192.0.2.1", dialogue(nil))
	strict := job("a@one.test")
	strict.RequireTLS = true
	if n.visits(); n.deliver(strict)[0].Err == nil || n.visits() == "" {
		t.Error("the strict message was delivered, or not tried")
	}
	n.o.Route = func(context.Context, string) (*queue.Route, error) {
		return &queue.Route{Hosts: []queue.RouteHost{{Host: "192.0.2.1", Port: 25}}}, nil
	}
	n.deliver(job("a@one.test"))
}
