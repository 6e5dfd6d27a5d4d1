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
	Resolver Resolver
	// Records remembers records that were read; nil reads each anew.
	Records *Records

	mu    sync.Mutex
	known *node // the last one asked for; they are as few as the questions
}

// node is what stands at _dmarc below a domain.
type node struct {
	domain string
	record *Record // nil when there is none
	err    error
	before *node
}

// NewTree makes a tree that knows nothing yet.
func NewTree(r Resolver) *Tree { return &Tree{Resolver: r} }

// node gives what was asked for before, nil for what was not.
func (t *Tree) node(domain string) *node {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.known
	for n != nil && n.domain != domain {
		n = n.before
	}
	return n
}

// at asks for the record of a domain. Several DMARC records at one name are as good as none (RFC 9989 4.10), and so is one
// that is malformed.
func (t *Tree) at(ctx context.Context, domain string) *node {
	if n := t.node(domain); n != nil {
		return n
	}
	n := &node{domain: domain}
	answer, err := t.Resolver.TXT(ctx, "_dmarc."+domain)
	if err != nil && !resolver.IsNotFound(err) {
		n.err = err
	}
	count := 0
	for _, text := range answer.Values {
		r, err := t.Records.Read(text, readRecord)
		if !errors.Is(err, ErrNotDMARC) {
			count++
		}
		if err == nil {
			n.record = r
		}
	}
	if count != 1 {
		n.record = nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n.before, t.known = t.known, n
	return n
}

// walkNames appends the names that a walk looks at, the domain first and its top-level domain last: of a long name, only the
// last seven labels besides itself (RFC 9989 4.10).
func walkNames(names []string, domain string) []string {
	names = append(names, domain)
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
	n := t.at(ctx, domain)
	if n.err != nil {
		return Found{}, n.err
	}
	if n.record != nil {
		return Found{Domain: domain, Record: *n.record}, nil // RFC 9989 4.10.1: its own
	}
	return t.inherited(ctx, domain)
}

// inherited finds the policy for a domain without a record of its own.
func (t *Tree) inherited(ctx context.Context, domain string) (Found, error) {
	organization := organizationOf(domain)
	var highest Found
	below := domain
	var room [maxQueries]string
	for _, name := range walkNames(room[:0], domain)[1:] {
		inside := within(name, organization)
		if !inside && highest.Domain != "" {
			break // what stands above the organization is for those without a record of their own
		}
		n := t.at(ctx, name)
		if n.err != nil {
			return Found{}, n.err
		}
		switch {
		case n.record == nil:
		case n.record.PSD == 'y':
			// The organization is one label below; only its own record goes before (RFC 9989 4.10.2).
			if highest.Domain == "" || highest.Domain != below {
				return Found{Domain: name, Record: *n.record, Inherited: true}, nil
			}
			return highest, nil
		case !inside:
			// A public suffix that does not say that it is one speaks for itself only.
		case n.record.PSD == 'n':
			return Found{Domain: name, Record: *n.record, Inherited: true}, nil
		default:
			highest = Found{Domain: name, Record: *n.record, Inherited: true}
		}
		below = name
	}
	return highest, nil
}

// organization is the organizational domain of one: by the public suffix list, or narrower where a psd tag on the way there
// says so (RFC 9989 4.10.2).
func (t *Tree) organization(ctx context.Context, domain string) (string, error) {
	registered := organizationOf(domain)
	below := domain
	var room [maxQueries]string
	for i, name := range walkNames(room[:0], domain) {
		if !within(name, registered) {
			break
		}
		n := t.at(ctx, name)
		switch {
		case n.err != nil:
			return "", n.err
		case n.record != nil && (n.record.PSD == 'n' || n.record.PSD == 'y' && i == 0):
			return name, nil
		case n.record != nil && n.record.PSD == 'y':
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
	if strict || organizationOf(author) != organizationOf(proven) {
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
	_, err := t.Resolver.MX(ctx, domain)
	if errors.Is(err, resolver.ErrNoDomain) {
		return false, nil
	}
	if !resolver.IsNotFound(err) {
		return err == nil, err
	}
	for _, ask := range []func(context.Context, string) (resolver.Answer[netip.Addr], error){t.Resolver.LookupA, t.Resolver.LookupAAAA} {
		if _, err := ask(ctx, domain); !resolver.IsNotFound(err) {
			return err == nil, err
		}
	}
	return false, nil
}

func within(name, domain string) bool { return name == domain || strings.HasSuffix(name, "."+domain) }
