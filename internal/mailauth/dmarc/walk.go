package dmarc

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"

	"postern/internal/resolver"
)

// Resolver is what is asked of the DNS.
type Resolver interface {
	TXT(ctx context.Context, name string) (resolver.Answer[string], error)
	MX(ctx context.Context, name string) (resolver.Answer[resolver.MX], error)
	LookupA(ctx context.Context, name string) (resolver.Answer[netip.Addr], error)
	LookupAAAA(ctx context.Context, name string) (resolver.Answer[netip.Addr], error)
}

// maxQueries bounds one walk up the tree (RFC 9989 4.10).
const maxQueries = 8

// Tree is the part of the DNS that has to do with the authors of one message. What was asked once is remembered. Its methods
// may be called concurrently.
type Tree struct {
	resolver Resolver

	mu    sync.Mutex
	known map[string]node
}

// node is what stands at _dmarc below a domain.
type node struct {
	found  bool
	record Record
	err    error
}

// NewTree makes a tree that knows nothing yet.
func NewTree(r Resolver) *Tree { return &Tree{resolver: r, known: make(map[string]node)} }

// at asks for the record of a domain. Several DMARC records at one name are as good as none (RFC 9989 4.10), and so is one
// that is malformed.
func (t *Tree) at(ctx context.Context, domain string) node {
	t.mu.Lock()
	n, ok := t.known[domain]
	t.mu.Unlock()
	if ok {
		return n
	}
	answer, err := t.resolver.TXT(ctx, "_dmarc."+domain)
	if err != nil && !resolver.IsNotFound(err) {
		n.err = err
	}
	count := 0
	for _, text := range answer.Values {
		r, err := ParseRecord(text)
		if !errors.Is(err, ErrNotDMARC) {
			count++
		}
		if err == nil {
			n.found, n.record = true, r
		}
	}
	n.found = n.found && count == 1
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[domain] = n
	return n
}

// walkNames are the names that a walk looks at, the domain first and its top-level domain last: of a long name, only the
// last seven labels besides itself (RFC 9989 4.10).
func walkNames(domain string) []string {
	names := []string{domain}
	labels := strings.Count(domain, ".") + 1
	for rest := domain; ; {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			return names
		}
		rest = after
		if labels--; labels < maxQueries {
			names = append(names, rest)
		}
	}
}

// Policy finds the policy for an author's domain. The error is temporary or the resolver's refusal to be asked any more;
// then nothing is known.
func (t *Tree) Policy(ctx context.Context, domain string) (Found, error) {
	domain = Normalize(domain)
	if domain == "" {
		return Found{}, nil
	}
	organization := OrganizationalDomain(domain)
	var highest Found
	below := ""
	for i, name := range walkNames(domain) {
		inside := within(name, organization)
		if !inside && highest.Domain != "" {
			break // what stands above the organization is for those without a record of their own
		}
		n := t.at(ctx, name)
		if n.err != nil {
			return Found{}, n.err
		}
		found := Found{Domain: name, Record: n.record, Inherited: i > 0}
		switch {
		case !n.found:
		case i == 0:
			return found, nil // RFC 9989 4.10.1: its own
		case n.record.PSD == 'y':
			// The organization is one label below; only its own record goes before (RFC 9989 4.10.2).
			if highest.Domain == "" || highest.Domain != below {
				return found, nil
			}
			return highest, nil
		case !inside:
			// A public suffix that does not say that it is one speaks for itself only.
		case n.record.PSD == 'n':
			return found, nil
		default:
			highest = found
		}
		below = name
	}
	return highest, nil
}

// organization is the organizational domain of one: by the public suffix list, or narrower where a psd tag on the way there
// says so (RFC 9989 4.10.2).
func (t *Tree) organization(ctx context.Context, domain string) (string, error) {
	registered := OrganizationalDomain(domain)
	below := domain
	for i, name := range walkNames(domain) {
		if !within(name, registered) {
			break
		}
		n := t.at(ctx, name)
		switch {
		case n.err != nil:
			return "", n.err
		case n.found && (n.record.PSD == 'n' || n.record.PSD == 'y' && i == 0):
			return name, nil
		case n.found && n.record.PSD == 'y':
			return below, nil
		}
		below = name
	}
	return registered, nil
}

// Aligned reports whether a proven domain counts for an author's (RFC 7489 3.1): the same one, or, unless strict, one of
// the same organization. The DNS is asked only about different domains below one registered name; with its error, nothing
// is known.
func (t *Tree) Aligned(ctx context.Context, author, proven string, strict bool) (bool, error) {
	author, proven = Normalize(author), Normalize(proven)
	if author == "" || author == proven {
		return author != "", nil
	}
	if strict || OrganizationalDomain(author) != OrganizationalDomain(proven) {
		return false, nil
	}
	a, err := t.organization(ctx, author)
	if err != nil {
		return false, err
	}
	b, err := t.organization(ctx, proven)
	return a == b && err == nil, err
}

// Exists reports whether a domain has an address or a mail exchanger (RFC 9989 3.2.13). With an error, which is temporary or
// the resolver's refusal to be asked any more, nobody knows.
func (t *Tree) Exists(ctx context.Context, domain string) (bool, error) {
	_, err := t.resolver.MX(ctx, domain)
	if errors.Is(err, resolver.ErrNoDomain) {
		return false, nil
	}
	if !resolver.IsNotFound(err) {
		return err == nil, err
	}
	for _, ask := range []func(context.Context, string) (resolver.Answer[netip.Addr], error){t.resolver.LookupA, t.resolver.LookupAAAA} {
		if _, err := ask(ctx, domain); !resolver.IsNotFound(err) {
			return err == nil, err
		}
	}
	return false, nil
}

func within(name, domain string) bool { return name == domain || strings.HasSuffix(name, "."+domain) }
