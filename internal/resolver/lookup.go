package resolver

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// TXT gives the texts at name, the strings of each record joined (RFC 7208 3.3, RFC 6376 3.6.2.2).
func (r *Resolver) TXT(ctx context.Context, name string) (Answer[string], error) {
	return values(ctx, r.ask, name, dns.TypeTXT, txtValue)
}

// MX gives the mail exchangers of name, the most preferred first. Hosts are lower case without the final dot, but for
// the "." of a null MX.
func (r *Resolver) MX(ctx context.Context, name string) (Answer[MX], error) {
	return exchangers(ctx, r.ask, name)
}

func exchangers(ctx context.Context, ask asking, name string) (Answer[MX], error) {
	a, err := values(ctx, ask, name, dns.TypeMX, mxValue)
	a.Values = slices.Clone(a.Values)
	slices.SortStableFunc(a.Values, func(x, y MX) int { return int(x.Preference) - int(y.Preference) })
	return a, err
}

// LookupA gives the IPv4 addresses of name.
func (r *Resolver) LookupA(ctx context.Context, name string) (Answer[netip.Addr], error) {
	return values(ctx, r.ask, name, dns.TypeA, aValue)
}

// LookupAAAA gives the IPv6 addresses of name.
func (r *Resolver) LookupAAAA(ctx context.Context, name string) (Answer[netip.Addr], error) {
	return values(ctx, r.ask, name, dns.TypeAAAA, aaaaValue)
}

// LookupHost gives the IPv6 and IPv4 addresses of name, asked for at the same time. One kind is enough: an error comes
// only when there is neither, and it is temporary if either answer failed to come.
func (r *Resolver) LookupHost(ctx context.Context, name string) (Answer[netip.Addr], error) {
	type half struct {
		answer Answer[netip.Addr]
		err    error
	}
	six := make(chan half, 1)
	go func() {
		a, err := r.LookupAAAA(ctx, name)
		six <- half{a, err}
	}()
	a4, err4 := r.LookupA(ctx, name)
	h6 := <-six
	switch {
	case err4 == nil && h6.err == nil:
		return Answer[netip.Addr]{
			Values:    append(slices.Clip(h6.answer.Values), a4.Values...),
			TTL:       min(a4.TTL, h6.answer.TTL),
			Authentic: a4.Authentic && h6.answer.Authentic,
			Name:      a4.Name,
		}, nil
	case err4 == nil:
		return a4, nil
	case h6.err == nil:
		return h6.answer, nil
	case IsTemporary(h6.err):
		return h6.answer, h6.err
	default:
		return a4, err4
	}
}

// LookupPTR gives the names of an address, lower case without the final dot.
func (r *Resolver) LookupPTR(ctx context.Context, ip netip.Addr) (Answer[string], error) {
	return pointers(ctx, r.ask, ip)
}

func pointers(ctx context.Context, ask asking, ip netip.Addr) (Answer[string], error) {
	if !ip.IsValid() {
		return Answer[string]{}, notAName(ip.String())
	}
	return values(ctx, ask, reverseName(ip.Unmap()), dns.TypePTR, ptrValue)
}

// reverseName is where the names of an address stand: below its four numbers, or its 32 nibbles, the last one first (RFC 1035
// 3.5, RFC 3596 2.5).
func reverseName(ip netip.Addr) string {
	var room [80]byte
	b := room[:0]
	if ip.Is4() {
		octets := ip.As4()
		for i := len(octets) - 1; i >= 0; i-- {
			b = append(strconv.AppendUint(b, uint64(octets[i]), 10), '.')
		}
		return string(append(b, "in-addr.arpa."...))
	}
	octets := ip.As16()
	for i := len(octets) - 1; i >= 0; i-- {
		const hex = "0123456789abcdef"
		b = append(b, hex[octets[i]&15], '.', hex[octets[i]>>4], '.')
	}
	return string(append(b, "ip6.arpa."...))
}

// TLSA gives the records of RFC 6698 at name, such as "_25._tcp.mx.example.test".
func (r *Resolver) TLSA(ctx context.Context, name string) (Answer[TLSA], error) {
	return values(ctx, r.ask, name, dns.TypeTLSA, tlsaValue)
}

// LookupTXT is TXT in the form of net.Resolver.
func (r *Resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	a, err := r.TXT(ctx, name)
	return a.Values, err
}

// LookupMX is MX in the form of net.Resolver: host names end in a dot.
func (r *Resolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	a, err := r.MX(ctx, name)
	if err != nil {
		return nil, err
	}
	list := make([]*net.MX, len(a.Values))
	for i, mx := range a.Values {
		list[i] = &net.MX{Host: dns.Fqdn(mx.Host), Pref: mx.Preference}
	}
	return list, nil
}

// LookupIPAddr is LookupHost in the form of net.Resolver.
func (r *Resolver) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	a, err := r.LookupHost(ctx, name)
	if err != nil {
		return nil, err
	}
	list := make([]net.IPAddr, len(a.Values))
	for i, ip := range a.Values {
		list[i] = net.IPAddr{IP: ip.AsSlice()}
	}
	return list, nil
}

// LookupAddr is LookupPTR in the form of net.Resolver: names end in a dot.
func (r *Resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, notAName(addr)
	}
	a, err := r.LookupPTR(ctx, ip)
	if err != nil {
		return nil, err
	}
	list := make([]string, len(a.Values))
	for i, name := range a.Values {
		list[i] = dns.Fqdn(name)
	}
	return list, nil
}

// asking gives the answer to a question: Resolver.ask, or Memory.ask.
type asking func(ctx context.Context, name string, qtype uint16) (e *entry, now time.Time, err error)

// values asks and turns the records of the answer into values; records that do not turn are left out.
func values[T any](ctx context.Context, ask asking, name string, qtype uint16, value func(dns.RR) (T, bool)) (Answer[T], error) {
	e, now, err := ask(ctx, name, qtype)
	if err != nil {
		return Answer[T]{}, err
	}
	a := Answer[T]{
		Values:    valuesOf(e, value),
		TTL:       max(0, e.expires.Sub(now)).Truncate(time.Second),
		Authentic: e.authentic,
		Name:      e.name,
	}
	if len(a.Values) == 0 {
		return a, dnsError(name, "", ErrNoData)
	}
	return a, nil
}

// valuesOf turns the records into values, once for all who ask.
func valuesOf[T any](e *entry, value func(dns.RR) (T, bool)) []T {
	if kept := e.values.Load(); kept != nil {
		if list, ok := (*kept).([]T); ok {
			return list
		}
	}
	list := make([]T, 0, len(e.records))
	for _, rr := range e.records {
		if v, ok := value(rr); ok {
			list = append(list, v)
		}
	}
	list = slices.Clip(list)
	kept := any(list)
	e.values.Store(&kept)
	return list
}

func txtValue(rr dns.RR) (string, bool) {
	txt, ok := rr.(*dns.TXT)
	if !ok {
		return "", false
	}
	return unescape(strings.Join(txt.Txt, "")), true
}

func mxValue(rr dns.RR) (MX, bool) {
	mx, ok := rr.(*dns.MX)
	if !ok {
		return MX{}, false
	}
	return MX{Host: host(mx.Mx), Preference: mx.Preference}, true
}

func aValue(rr dns.RR) (netip.Addr, bool) {
	a, ok := rr.(*dns.A)
	if !ok {
		return netip.Addr{}, false
	}
	return netip.AddrFromSlice(a.A.To4())
}

func aaaaValue(rr dns.RR) (netip.Addr, bool) {
	a, ok := rr.(*dns.AAAA)
	if !ok {
		return netip.Addr{}, false
	}
	return netip.AddrFromSlice(a.AAAA.To16())
}

func ptrValue(rr dns.RR) (string, bool) {
	ptr, ok := rr.(*dns.PTR)
	if !ok {
		return "", false
	}
	return host(ptr.Ptr), true
}

func tlsaValue(rr dns.RR) (TLSA, bool) {
	t, ok := rr.(*dns.TLSA)
	if !ok {
		return TLSA{}, false
	}
	data, err := decodeHex(t.Certificate)
	return TLSA{Usage: t.Usage, Selector: t.Selector, Matching: t.MatchingType, Data: data}, err == nil
}

func host(name string) string {
	if name == "." {
		return name
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}
