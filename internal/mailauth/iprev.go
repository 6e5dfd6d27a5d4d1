package mailauth

import (
	"context"
	"net/netip"
	"slices"

	"postern/internal/resolver"
)

// maxReverseNames bounds the names of a client that are tried.
const maxReverseNames = 4

// iprev looks for a name of the client that leads back to it (RFC 8601 3).
func iprev(ctx context.Context, r Resolver, client netip.Addr) IPRev {
	client = client.Unmap().WithZone("")
	names, err := r.LookupPTR(ctx, client)
	if err != nil || len(names.Values) == 0 {
		return IPRev{Status: unanswered(err, PermError)}
	}
	result := IPRev{Status: Fail, Name: names.Values[0]}
	for _, name := range names.Values[:min(len(names.Values), maxReverseNames)] {
		list, err := addressesOf(ctx, r, client, name)
		if err == nil && slices.Contains(list, client) {
			return IPRev{Status: Pass, Name: name}
		}
		if err != nil && unanswered(err, Fail) == TempError {
			result.Status = TempError
		}
	}
	return result
}

// addressesOf asks for the addresses of the client's kind.
func addressesOf(ctx context.Context, r Resolver, client netip.Addr, name string) ([]netip.Addr, error) {
	if client.Is4() {
		answer, err := r.LookupA(ctx, name)
		return answer.Values, err
	}
	answer, err := r.LookupAAAA(ctx, name)
	return answer.Values, err
}

// unanswered is temperror when the DNS may answer later, else the other.
func unanswered(err error, other Status) Status {
	if err != nil && !resolver.IsNotFound(err) && isTemporary(err) {
		return TempError
	}
	return other
}
