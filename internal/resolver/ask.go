package resolver

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

const (
	// maxAliases bounds a chain of CNAMEs.
	maxAliases = 12
	// maxRecords bounds the records of one answer that are looked at.
	maxRecords = 1000
	// maxNegative bounds how long "not there" is kept; RFC 2308 5 suggests at most three hours, mail is less patient.
	maxNegative = 15 * time.Minute
	// defaultNegative is kept when the answer holds no SOA to tell (RFC 2308 5).
	defaultNegative = 30 * time.Second
)

// entry is an answer as it is kept. A nil failure goes with at least one record.
type entry struct {
	records   []dns.RR
	name      string
	authentic bool
	expires   time.Time
	failure   error // ErrNoDomain or ErrNoData

	// values are what the records say, once somebody has asked: a slice of whatever the type of question gives.
	values atomic.Pointer[any]
	// told is the failure as it was told last.
	told atomic.Pointer[net.DNSError]
}

// ask answers from memory, joins the same question on its way, or resolves. now is when the answer held.
func (r *Resolver) ask(ctx context.Context, name string, qtype uint16) (e *entry, now time.Time, err error) {
	key, e, now, err := r.recall(name, qtype)
	if e == nil && err == nil {
		e, err = r.fly(ctx, key, name)
		now = r.clock.Now()
	}
	return e, now, err
}

// fly joins the same question on its way, or resolves.
func (r *Resolver) fly(ctx context.Context, key cacheKey, name string) (*entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, temporary(name, "", err)
	}
	qtype := key.qtype
	fqdn := key.fqdn()
	flight := r.flights.DoChan(strconv.Itoa(int(qtype))+" "+fqdn, func() (any, error) {
		if e := r.cache.get(key, r.clock.Now()); e != nil {
			return e, nil // the same question came back while this one was on its way here
		}
		// The question outlives an asker that gives up: others may wait for it, and the cache wants it.
		total := r.timeout * time.Duration(r.attempts*max(1, len(r.servers))+1)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), total)
		defer cancel()
		e, err := r.resolve(ctx, fqdn, qtype)
		if err == nil {
			r.cache.put(key, e)
		}
		return e, err
	})
	select {
	case <-ctx.Done():
		return nil, temporary(name, "", ctx.Err())
	case res := <-flight:
		if res.Err != nil {
			return nil, res.Err
		}
		return finish(res.Val.(*entry), name)
	}
}

// recall answers from memory; without an error and an entry nothing is remembered under the key.
func (r *Resolver) recall(name string, qtype uint16) (key cacheKey, e *entry, now time.Time, err error) {
	canonical, ok := canonical(name)
	if !ok {
		return key, nil, now, notAName(name)
	}
	key, now = cacheKey{canonical, qtype}, r.clock.Now()
	e = r.cache.get(key, now)
	if e != nil && e.failure != nil {
		return key, nil, now, e.failed(name)
	}
	return key, e, now, nil
}

func finish(e *entry, name string) (*entry, error) {
	if e.failure != nil {
		return nil, e.failed(name)
	}
	return e, nil
}

// failed is the failure for whoever asked for the name in this spelling.
func (e *entry) failed(name string) error {
	if told := e.told.Load(); told != nil && told.Name == name {
		return told
	}
	told := dnsError(name, "", e.failure)
	e.told.Store(told)
	return told
}

// resolve asks and follows aliases, those in the answer and, where a server leaves the rest to us, by asking again.
func (r *Resolver) resolve(ctx context.Context, name string, qtype uint16) (*entry, error) {
	e := &entry{name: name, authentic: true, expires: r.clock.Now().Add(r.maxTTL)}
	seen := map[string]bool{name: true}
	for {
		m, trusted, err := r.exchange(ctx, e.name, qtype)
		if err != nil {
			return nil, err
		}
		e.authentic = e.authentic && trusted && m.AuthenticatedData
		asked := e.name
		for target, ttl := alias(m, e.name, qtype); target != ""; target, ttl = alias(m, e.name, qtype) {
			if seen[target] || len(seen) > maxAliases {
				return nil, temporary(name, "", errors.New("the aliases (CNAME) go round in circles or too far"))
			}
			seen[target] = true
			e.name = target
			e.shorten(r.clock.Now(), ttl)
		}
		for _, rr := range bounded(m.Answer) {
			h := rr.Header()
			if h.Rrtype == qtype && h.Class == dns.ClassINET && strings.EqualFold(h.Name, e.name) {
				e.records = append(e.records, rr)
				e.shorten(r.clock.Now(), time.Duration(h.Ttl)*time.Second)
			}
		}
		switch {
		case len(e.records) > 0:
			return e, nil
		case m.Rcode == dns.RcodeNameError:
			e.failure = ErrNoDomain
		case e.name != asked:
			continue
		default:
			e.failure = ErrNoData
		}
		e.shorten(r.clock.Now(), negativeTTL(m))
		return e, nil
	}
}

func (e *entry) shorten(now time.Time, ttl time.Duration) {
	if t := now.Add(ttl); t.Before(e.expires) {
		e.expires = t
	}
}

// alias gives the target of the CNAME at name, "" if there is none or the alias itself was asked for.
func alias(m *dns.Msg, name string, qtype uint16) (string, time.Duration) {
	if qtype == dns.TypeCNAME {
		return "", 0
	}
	for _, rr := range bounded(m.Answer) {
		if c, ok := rr.(*dns.CNAME); ok && strings.EqualFold(c.Hdr.Name, name) {
			return strings.ToLower(c.Target), time.Duration(c.Hdr.Ttl) * time.Second
		}
	}
	return "", 0
}

// negativeTTL is how long "not there" holds: the smaller of the SOA's TTL and its minimum (RFC 2308 5).
func negativeTTL(m *dns.Msg) time.Duration {
	for _, rr := range bounded(m.Ns) {
		if soa, ok := rr.(*dns.SOA); ok {
			return min(maxNegative, time.Duration(min(soa.Hdr.Ttl, soa.Minttl))*time.Second)
		}
	}
	return defaultNegative
}

func bounded(list []dns.RR) []dns.RR { return list[:min(len(list), maxRecords)] }

// canonical is name as answers are kept under it: lower case, without the final dot, "" for the root. A name that cannot be
// in the DNS is none.
func canonical(name string) (string, bool) {
	if name == "." {
		return "", true
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 { // 255 bytes on the wire (RFC 1035 2.3.4)
		return "", false
	}
	label, upper := 0, false
	for i := range len(name) {
		c := name[i]
		switch {
		case c <= ' ' || c >= 0x7f || c == '\\':
			return "", false
		case c != '.':
			if label++; label > 63 {
				return "", false
			}
			upper = upper || c >= 'A' && c <= 'Z'
		case label == 0:
			return "", false
		default:
			label = 0
		}
	}
	if upper {
		name = strings.ToLower(name)
	}
	return name, label > 0
}

// IsTemporary reports whether err means that no answer came and asking later may help.
func IsTemporary(err error) bool { return errors.Is(err, ErrTemporary) }

// IsNotFound reports whether err means that the DNS answered and there is no such thing.
func IsNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

func dnsError(name, server string, kind error) *net.DNSError {
	return &net.DNSError{
		Err: kind.Error(), Name: name, Server: server, UnwrapErr: kind,
		IsNotFound: errors.Is(kind, ErrNotFound), IsTemporary: errors.Is(kind, ErrTemporary),
	}
}

func notAName(name string) error {
	if len(name) > 255 {
		name = name[:255]
	}
	return &net.DNSError{Err: "not a name that the DNS can hold", Name: name, IsNotFound: true, UnwrapErr: ErrNoDomain}
}

func temporary(name, server string, cause error) error {
	var timeout net.Error
	e := &net.DNSError{Err: cause.Error(), Name: name, Server: server, IsTemporary: true}
	e.IsTimeout = errors.Is(cause, os.ErrDeadlineExceeded) || errors.Is(cause, context.DeadlineExceeded) ||
		(errors.As(cause, &timeout) && timeout.Timeout())
	e.UnwrapErr = temporaryCause{cause}
	return e
}

// temporaryCause is ErrTemporary and its cause at once.
type temporaryCause struct{ cause error }

func (t temporaryCause) Error() string   { return t.cause.Error() }
func (t temporaryCause) Unwrap() []error { return []error{ErrTemporary, t.cause} }

// unescape turns the library's presentation form of a TXT string into its bytes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			if i+3 < len(s) && isDigit(s[i+1]) && isDigit(s[i+2]) && isDigit(s[i+3]) {
				c = (s[i+1]-'0')*100 + (s[i+2]-'0')*10 + (s[i+3] - '0')
				i += 3
			} else {
				i++
				c = s[i]
			}
		}
		out = append(out, c)
	}
	return string(out)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func decodeHex(s string) ([]byte, error) { return hex.DecodeString(s) }
