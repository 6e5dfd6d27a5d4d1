package reports

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"postern/internal/address"
	"postern/internal/mailauth"
	"postern/internal/resolver"
)

// maxDestinations bounds the addresses of one record that get a report.
const maxDestinations = 5

// destination is where a report is to go.
type destination struct {
	// uri is as the record has it, without the size.
	uri string
	// mailbox is set for mailto, post for https.
	mailbox address.Address
	post    string
	// most is the size in bytes that the destination takes, 0 for any (RFC 7489 6.2).
	most int64
	// refused says why it gets none, "" if it does.
	refused string
	// unknown is why that cannot be told for the moment.
	unknown error
}

// tags reads a list "v=DMARC1; p=none; …" (RFC 6376 3.2). The first value of a tag counts.
func tags(record string) map[string]string {
	list := map[string]string{}
	for part := range strings.SplitSeq(record, ";") {
		name, value, found := strings.Cut(part, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := list[name]; found && name != "" && !twice {
			list[name] = strings.TrimSpace(value)
		}
	}
	return list
}

// isRecord reports whether a text is a record of the given version, which must come first.
func isRecord(text, version string) bool {
	name, value, _ := strings.Cut(text, "=")
	value, _, _ = strings.Cut(value, ";")
	return strings.TrimSpace(name) == "v" && strings.TrimSpace(value) == version
}

// parseDestinations reads the value of rua. What cannot be used is left out.
func parseDestinations(rua string, https bool) []destination {
	var list []destination
	for text := range strings.SplitSeq(rua, ",") {
		if len(list) == maxDestinations {
			break
		}
		d, ok := parseDestination(strings.TrimSpace(text))
		twice := slices.ContainsFunc(list, func(other destination) bool { return other.mailbox == d.mailbox && other.post == d.post })
		if ok && !twice && (d.post == "" || https) {
			list = append(list, d)
		}
	}
	return list
}

func parseDestination(text string) (d destination, ok bool) {
	d.uri = text
	// RFC 7489 6.2: an exclamation mark in the URI itself is encoded.
	if at := strings.LastIndexByte(text, '!'); at >= 0 {
		if d.most, ok = parseMost(text[at+1:]); !ok {
			return d, false
		}
		d.uri = text[:at]
	}
	scheme, rest, _ := strings.Cut(d.uri, ":")
	switch strings.ToLower(scheme) {
	case "mailto":
		rest, _, _ = strings.Cut(rest, "?")
		mailbox, err := url.PathUnescape(rest)
		if err != nil {
			return d, false
		}
		d.mailbox, err = address.Parse(mailbox)
		return d, err == nil && !d.mailbox.IsZero() && !strings.HasPrefix(d.mailbox.Domain, "[")
	case "https":
		u, err := url.Parse(d.uri)
		if err != nil || u.Host == "" || u.User != nil {
			return d, false
		}
		d.post = u.String()
		return d, true
	}
	return d, false
}

// parseMost reads "10m".
func parseMost(text string) (int64, bool) {
	unit := int64(1)
	if at := strings.IndexAny(text, "kKmMgGtT"); at >= 0 && at == len(text)-1 {
		unit = map[byte]int64{'k': 1 << 10, 'm': 1 << 20, 'g': 1 << 30, 't': 1 << 40}[text[at]|0x20]
		text = text[:at]
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > 1<<20 {
		return 0, err == nil && n > 1<<20 // as good as none
	}
	return n * unit, true
}

// destinations finds out who gets the report about a domain. An error is one of the DNS that may pass; one that concerns a
// single destination holds up no other.
func (r *Reporter) destinations(ctx context.Context, p *pending) ([]destination, error) {
	if p.kind == TLS {
		return r.destinationsTLS(ctx, p.domain)
	}
	list := parseDestinations(tags(p.record)["rua"], false)
	for i := range list {
		list[i].unknown = r.consents(ctx, p.domain, &list[i])
	}
	return list, nil
}

// destinationsTLS asks the domain where its TLS reports go (RFC 8460 3).
func (r *Reporter) destinationsTLS(ctx context.Context, domain string) ([]destination, error) {
	texts, err := r.o.Resolver.TXT(ctx, "_smtp._tls."+domain)
	if resolver.IsTemporary(err) {
		return nil, err
	}
	var records []string
	for _, text := range texts.Values {
		if isRecord(text, "TLSRPTv1") {
			records = append(records, text)
		}
	}
	if len(records) != 1 {
		return nil, nil // several are as none
	}
	return parseDestinations(tags(records[0])["rua"], true), nil
}

// consents finds out whether a destination outside of the domain's organization wants reports about it (RFC 7489 7.1,
// RFC 9990 4): otherwise anybody could have anybody flooded.
func (r *Reporter) consents(ctx context.Context, domain string, d *destination) error {
	if mailauth.SameOrganization(domain, d.mailbox.Domain) {
		return nil
	}
	texts, err := r.o.Resolver.TXT(ctx, domain+"._report._dmarc."+d.mailbox.Domain)
	if resolver.IsTemporary(err) {
		return err
	}
	for _, text := range texts.Values {
		if !isRecord(text, "DMARC1") {
			continue
		}
		// It may name another address, at the same host.
		for _, other := range parseDestinations(tags(text)["rua"], false) {
			if strings.EqualFold(other.mailbox.Domain, d.mailbox.Domain) {
				d.mailbox, d.most = other.mailbox, other.most
				break
			}
		}
		return nil
	}
	d.refused = "has not agreed to reports about " + domain + " (no record at " + domain + "._report._dmarc." + d.mailbox.Domain + ")"
	return nil
}
