package queue

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"postern/internal/clock"
	"postern/internal/resolver"
	"postern/smtp/client"
)

// Resolver is what finding the way needs of the DNS; *resolver.Resolver is one.
type Resolver interface {
	MX(ctx context.Context, name string) (resolver.Answer[resolver.MX], error)
	LookupHost(ctx context.Context, name string) (resolver.Answer[netip.Addr], error)
}

// TLSMode is how much TLS a delivery needs.
type TLSMode int

// The modes.
const (
	// Opportunistic: TLS with whatever certificate where it is offered and works, else clear (RFC 7435).
	Opportunistic TLSMode = iota
	// Encrypted: TLS with whatever certificate, or not at all.
	Encrypted
	// Verified: TLS with a certificate for the host that Config accepts, or not at all.
	Verified
)

// TLSPolicy is what a domain wants for one of its hosts.
type TLSPolicy struct {
	Mode TLSMode
	// Config is for the handshake; nil means the system's roots and the host's name.
	Config *tls.Config
	// Vouched: the host was named securely (DNSSEC, MTA-STS), which REQUIRETLS asks for (RFC 8689 4.2.1).
	Vouched bool
	// Name, Lines and MXHosts tell of the policy in reports (RFC 8460 4.4): "sts" or "tlsa" with its text and the hosts it
	// allows; all empty where the domain has none.
	Name           string
	Lines, MXHosts []string
}

// Session is one connection to a mail exchanger as far as TLS goes, for reports about it (RFC 8460 4).
type Session struct {
	// Destination is the recipients' domain, Host the exchanger.
	Destination, Host string
	Local, Remote     netip.Addr
	// From is the reverse-path of the first message.
	From   string
	Policy TLSPolicy
	// Version is that of TLS, 0 without.
	Version uint16
	// Err says why there is no TLS, or none as the policy wants it; nil when all is well.
	Err error
}

// Route is a way other than the domain's mail exchangers, such as a relay.
type Route struct {
	Hosts []RouteHost
}

// RouteHost is one host of a route.
type RouteHost struct {
	// Host is a name or an address.
	Host string
	Port int
	// ImplicitTLS: TLS from the first byte (RFC 8314 3.3).
	ImplicitTLS bool
	Policy      TLSPolicy
	// User and Password log in, if set; only under TLS.
	User, Password string
}

// RemoteOptions connect a Remote.
type RemoteOptions struct {
	// Hostname is our name in EHLO, and how we know ourselves among a domain's exchangers.
	Hostname string
	Resolver Resolver
	// Own tells our addresses: an exchanger at one of them is ourselves. May be nil.
	Own func(netip.Addr) bool
	// Dial connects; nil means a net.Dialer's.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Port is 25 unless a test says otherwise.
	Port int
	// Route gives the way for a destination; nil, or a nil route, means its mail exchangers.
	Route func(ctx context.Context, destination string) (*Route, error)
	// Policy gives what a destination wants of the connection to one of its hosts; nil means opportunistic TLS. An
	// error keeps mail from that host for now.
	Policy func(ctx context.Context, destination, host string) (TLSPolicy, error)
	// OnSession is told of each session with a mail exchanger; it must be quick. May be nil.
	OnSession func(Session)
	// Roots verify certificates where that is wanted; nil means the system's.
	Roots    *x509.CertPool
	Timeouts client.Timeouts
	// DialTimeout bounds each attempt to connect (30 s), JobTimeout all of one job's (30 minutes).
	DialTimeout, JobTimeout time.Duration
	Clock                   clock.Clock
	Log                     *slog.Logger
}

// Remote delivers to other servers by SMTP.
type Remote struct {
	o RemoteOptions

	mu sync.Mutex
	// noTLS holds hosts whose STARTTLS failed lately, until when they are spoken to in clear at once.
	noTLS map[string]time.Time
}

const (
	// clearFor is how long a host with a broken STARTTLS is not asked for it again.
	clearFor = time.Hour
	// maxNoTLS bounds the memory of such hosts.
	maxNoTLS = 10000
	// maxHosts and maxAddresses bound what one job tries.
	maxHosts     = 8
	maxAddresses = 4
	// perConnection is how many messages go over one connection.
	perConnection = 50
	// warmFor is how long after it was made a connection is used again.
	warmFor = 5 * time.Minute
)

// NewRemote makes a deliverer to other servers.
func NewRemote(o RemoteOptions) *Remote {
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.Port == 0 {
		o.Port = 25
	}
	if o.DialTimeout <= 0 {
		o.DialTimeout = 30 * time.Second
	}
	if o.JobTimeout <= 0 {
		o.JobTimeout = 30 * time.Minute
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Remote{o: o, noTLS: make(map[string]time.Time)}
}

// Line opens a line to a destination; it connects when it must.
func (r *Remote) Line(destination string) Line {
	return &remoteLine{r: r, destination: destination}
}

// brokenTLS notes that a host's STARTTLS does not work.
func (r *Remote) brokenTLS(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.o.Clock.Now()
	if len(r.noTLS) >= maxNoTLS {
		for h, until := range r.noTLS {
			if len(r.noTLS) >= maxNoTLS || !now.Before(until) {
				delete(r.noTLS, h)
			}
		}
	}
	r.noTLS[host] = now.Add(clearFor)
}

func (r *Remote) skipsTLS(host string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, ok := r.noTLS[host]
	return ok && r.o.Clock.Now().Before(until)
}
