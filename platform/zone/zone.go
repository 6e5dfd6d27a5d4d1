// Package zone knows what must stand in the DNS for a mail domain, and compares it with what stands there.
//
// The road starts at [Records] with the domain, the server's host name and the domain's DKIM keys. It ends at a person,
// who puts the lines of [Zone] into the domain's zone, or at [Check], which asks the DNS for each record and says
// whether it is as it should be. Records that promise a service which this server does not run (an MTA-STS policy, an
// autoconfiguration page) are not among them: a promise that nobody keeps costs mail.
package zone

import (
	"fmt"
	"net/netip"
	"strings"

	"postern/dkim"
)

// Record is one record that should stand in the DNS.
type Record struct {
	Type string `json:"type" doc:"MX, TXT, SRV, A or AAAA"`
	Name string `json:"name" doc:"The owner, absolute but without the final dot."`
	// Value is the data as a zone file has it, except that a TXT record is one text without quotes.
	Value   string `json:"value" doc:"The data as in a zone file; a TXT record's text without quotes."`
	Purpose string `json:"purpose" doc:"What the record is for."`
	TTL     int    `json:"ttl" doc:"Seconds."`
	// kind tells apart what must be compared differently.
	kind kind
}

type kind int

const (
	plain kind = iota
	spf
	dmarc
	tlsrpt
	dkimKey
)

// Domain is what the records are made from.
type Domain struct {
	// Name is the mail domain, Host the server's name; A-labels.
	Name, Host string
	// Addresses are the server's public addresses, as far as it knows them.
	Addresses []netip.Addr
	Keys      []*dkim.Key
}

// ttl is an hour: short enough to correct a mistake on the same day.
const ttl = 3600

// Records gives the records of a domain in the order in which a person reads them. Addresses of the host are among them
// only when the host lies in the domain.
func Records(d Domain) ([]Record, error) {
	reports := "mailto:postmaster@" + d.Name // an address that every domain has (RFC 5321 4.5.1)
	var records []Record
	add := func(k kind, typ, name, value, purpose string) {
		records = append(records, Record{Type: typ, Name: name, Value: value, Purpose: purpose, TTL: ttl, kind: k})
	}
	if d.Host == d.Name || strings.HasSuffix(d.Host, "."+d.Name) {
		for _, ip := range d.Addresses {
			if ip.Is4() {
				add(plain, "A", d.Host, ip.String(), "the server's address")
			} else {
				add(plain, "AAAA", d.Host, ip.String(), "the server's address")
			}
		}
	}
	add(plain, "MX", d.Name, "10 "+d.Host+".", "mail for the domain comes to this server")
	add(spf, "TXT", d.Name, "v=spf1 a:"+d.Host+" ~all", "SPF: this server sends for the domain (RFC 7208)")
	if d.Host != d.Name && strings.HasSuffix(d.Host, "."+d.Name) {
		// Bounces have no sender; then the name in EHLO is what SPF checks (RFC 7208 2.3).
		add(spf, "TXT", d.Host, "v=spf1 a -all", "SPF for bounces, which are sent in the server's own name")
	}
	for _, key := range d.Keys {
		if key.State == dkim.Retired {
			continue
		}
		text, err := key.Record()
		if err != nil {
			return nil, err
		}
		add(dkimKey, "TXT", key.RecordName(), text, fmt.Sprintf("DKIM: the %s key that signs (RFC 6376)", key.Algorithm))
	}
	add(dmarc, "TXT", "_dmarc."+d.Name, "v=DMARC1; p=reject; rua="+reports, "DMARC: refuse what is forged, tell us (RFC 7489)")
	add(tlsrpt, "TXT", "_smtp._tls."+d.Name, "v=TLSRPTv1; rua="+reports, "others report trouble with TLS to us (RFC 8460)")
	for _, s := range []struct{ service, value, purpose string }{
		{"_submissions._tcp", "0 1 465 " + d.Host + ".", "mail clients find where to send (RFC 8314)"},
		{"_submission._tcp", "10 1 587 " + d.Host + ".", "the same with STARTTLS (RFC 6186)"},
		{"_imaps._tcp", "0 1 993 " + d.Host + ".", "mail clients find where to read (RFC 6186)"},
		{"_sieve._tcp", "0 1 4190 " + d.Host + ".", "mail clients find where filters are kept (RFC 5804)"},
		{"_imap._tcp", "0 0 0 .", "there is no IMAP without TLS"},
		{"_pop3._tcp", "0 0 0 .", "there is no POP3"},
		{"_pop3s._tcp", "0 0 0 .", "there is no POP3"},
	} {
		add(plain, "SRV", s.service+"."+d.Name, s.value, s.purpose)
	}
	return records, nil
}

// Line is the record as a line of a zone file, with absolute names.
func (r Record) Line() string {
	value := r.Value
	if r.Type == "TXT" {
		value = quoteText(value)
	}
	return fmt.Sprintf("%s.\t%d\tIN\t%s\t%s", r.Name, r.TTL, r.Type, value)
}

// quoteText splits a text into strings of at most 255 bytes (RFC 1035 3.3.14) in the form of zone files (5.1).
func quoteText(s string) string {
	var b strings.Builder
	for first := true; first || s != ""; first = false {
		if !first {
			b.WriteByte(' ')
		}
		n := min(len(s), 255)
		b.WriteByte('"')
		for i := range n {
			switch c := s[i]; {
			case c == '"' || c == '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			case c < 0x20 || c > 0x7e:
				fmt.Fprintf(&b, "\\%03d", c)
			default:
				b.WriteByte(c)
			}
		}
		b.WriteByte('"')
		s = s[n:]
	}
	return b.String()
}

// Zone writes the records as part of a zone file, each with a comment that says what it is for.
func Zone(d Domain, records []Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "; Records for mail of %s at %s.\n", d.Name, d.Host)
	for _, r := range records {
		fmt.Fprintf(&b, "; %s\n%s\n", r.Purpose, r.Line())
	}
	if d.Host == d.Name || strings.HasSuffix(d.Host, "."+d.Name) {
		if len(d.Addresses) == 0 {
			fmt.Fprintf(&b, "; Add A and AAAA records for %s with the public addresses of this server.\n", d.Host)
		}
	}
	fmt.Fprintf(&b, "; Ask whoever gave you the server's addresses for PTR records that say %s: much mail is refused without.\n", d.Host)
	return b.String()
}
