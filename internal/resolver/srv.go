package resolver

import (
	"context"

	"github.com/miekg/dns"
)

// SRV is one record of RFC 2782. The target of a service that is not offered is ".".
type SRV struct {
	Priority, Weight, Port uint16
	Target                 string
}

// SRV gives the records at name, such as "_imaps._tcp.example.test", in the order in which they came.
func (r *Resolver) SRV(ctx context.Context, name string) (Answer[SRV], error) {
	return values(ctx, r.ask, name, dns.TypeSRV, func(rr dns.RR) (SRV, bool) {
		s, ok := rr.(*dns.SRV)
		if !ok {
			return SRV{}, false
		}
		return SRV{Priority: s.Priority, Weight: s.Weight, Port: s.Port, Target: s.Target}, true
	})
}
