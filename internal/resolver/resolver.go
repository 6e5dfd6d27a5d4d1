// Package resolver asks the DNS for what a mail server needs to know: where a domain's mail goes, which texts it
// publishes, which names an address has.
//
// It exists because the standard library's resolver hides what mail depends on: how long an answer may be kept (TTL),
// whether it was validated (the AD bit, RFC 4035 3.2.3), and whether "no such name" was said or the answer failed to
// come. A block list must not read a failure as an answer, and a queue must retry the one and bounce the other.
//
// The road starts at New or FromSystem with the addresses of recursive servers. A question is answered from the cache,
// joined to the same question already on its way, or sent: by UDP from a fresh random port with a random id, by TCP
// when the answer was cut off. Aliases are followed to their end, within bounds. Errors are *net.DNSError, as
// net.Resolver's are, so that libraries written for the one work with the other; errors.Is tells ErrNoDomain, ErrNoData
// (both are ErrNotFound) and ErrTemporary apart.
package resolver

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/singleflight"

	"postern/internal/clock"
)

// Errors that a lookup's error is, for errors.Is.
var (
	// ErrNotFound: the DNS answered, and what was asked for is not there.
	ErrNotFound = errors.New("not found in DNS")
	// ErrNoDomain: the name does not exist (NXDOMAIN). It is an ErrNotFound.
	ErrNoDomain = fmt.Errorf("no such domain: %w", ErrNotFound)
	// ErrNoData: the name exists, without a record of the type asked for. It is an ErrNotFound.
	ErrNoData = fmt.Errorf("no such record: %w", ErrNotFound)
	// ErrTemporary: no usable answer came (time-out, SERVFAIL, REFUSED, a loop of aliases); later one may.
	ErrTemporary = errors.New("temporary DNS failure")
)

// Options say whom to ask and how patiently.
type Options struct {
	// Servers are recursive resolvers, "host:port", asked in this order.
	Servers []string
	// TrustAD lists those of Servers, besides ones on loopback, whose AD bit is believed: the road to them must be safe.
	TrustAD []string
	// Timeout is how long one server may take to answer one try. Default 3 s.
	Timeout time.Duration
	// Attempts is how often the list of servers is gone through. Default 2.
	Attempts int
	// CacheSize is the number of answers kept. Default 10,000; negative keeps none.
	CacheSize int
	// MaxTTL bounds how long an answer is kept. Default 1 hour.
	MaxTTL time.Duration
	Clock  clock.Clock
	Log    *slog.Logger
}

// Answer is what the DNS said, with how long that holds.
type Answer[T any] struct {
	// Values are shared by all who ask: nobody may change them.
	Values []T
	// TTL is what remains of the shortest TTL among the answer's records, aliases included.
	TTL time.Duration
	// Authentic: a trusted validating resolver vouches for the whole answer (DNSSEC).
	Authentic bool
	// Name is where the chain of aliases ended: lower case, absolute ("mx.example.test.").
	Name string
}

// MX is one mail exchanger. The host of a null MX (RFC 7505) is ".".
type MX struct {
	Host       string
	Preference uint16
}

// TLSA is one record of RFC 6698.
type TLSA struct {
	Usage, Selector, Matching uint8
	Data                      []byte
}

// Resolver asks and remembers. Its methods may be called concurrently.
type Resolver struct {
	servers  []server
	timeout  time.Duration
	attempts int
	maxTTL   time.Duration
	clock    clock.Clock
	log      *slog.Logger
	cache    *cache
	flights  singleflight.Group

	mu   sync.Mutex
	slow map[string]time.Time // servers that failed lately are asked last until then
}

type server struct {
	addr    string
	trustAD bool
}

// New makes a resolver that asks the given servers.
func New(o Options) *Resolver {
	r := &Resolver{
		timeout: o.Timeout, attempts: o.Attempts, maxTTL: o.MaxTTL, clock: o.Clock, log: o.Log,
		slow: make(map[string]time.Time),
	}
	if r.timeout <= 0 {
		r.timeout = 3 * time.Second
	}
	if r.attempts <= 0 {
		r.attempts = 2
	}
	if r.maxTTL <= 0 {
		r.maxTTL = time.Hour
	}
	if r.clock == nil {
		r.clock = clock.System
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	size := o.CacheSize
	if size == 0 {
		size = 10000
	}
	r.cache = newCache(size, r.clock)
	for _, addr := range o.Servers {
		r.servers = append(r.servers, server{addr: addr, trustAD: isLoopback(addr) || contains(o.TrustAD, addr)})
	}
	return r
}

// FromSystem makes a resolver that asks the servers of /etc/resolv.conf; o.Servers is filled in and the rest of o holds.
func FromSystem(o Options) (*Resolver, error) {
	return fromResolvConf("/etc/resolv.conf", o)
}

func fromResolvConf(path string, o Options) (*Resolver, error) {
	conf, err := dns.ClientConfigFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the system's resolvers: %w", err)
	}
	if len(conf.Servers) == 0 {
		return nil, fmt.Errorf("%s names no server", path)
	}
	o.Servers = nil
	for _, host := range conf.Servers {
		o.Servers = append(o.Servers, net.JoinHostPort(host, conf.Port))
	}
	return New(o), nil
}

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}
