package antispam

import (
	"bytes"
	"encoding/base64"
	"strings"

	"postern/antispam/bayes"
	"postern/antispam/words"
	"postern/internal/message/htmltext"
	"postern/internal/message/weburl"
)

// linkFacts are about where a click leads.
type linkFacts struct {
	hosts   []string // the organizations, or addresses in numbers, that links lead to, in their order
	last    host     // that was looked at
	parser  weburl.Parser
	orgs    map[string]int // organizational domains of anchors, and how many lead there
	tricks  weburl.Tricks
	anchors int // links that one clicks
	remote  int // images that are fetched
	lies    int // anchors whose text shows another organization than they lead to
	scheme  bool
	// numeric are to addresses in numbers, those within networks apart; numericHTML tells that a page leads to one, which
	// logs and lists do not.
	numeric     int
	numericHTML bool
	ports       int // to unusual ports
	short       int // through shorteners
	free        int // to hosts where anybody puts pages
	cheap       int // to top-level domains that are nearly given away
	aimed       bool
	hops        int // redirectors of well-known sites
	random      int // to names that look random
	labels      int // the most labels of a host
	tracked     int // through what newsletters count clicks with
	feigned     int // to names that begin as a well-known company's and end as somebody else's
	near        int // to names that are made to look like a well-known company's
	abroad      int // to countries whose names were used up by the million, in a text of another script
	doubted     int // to top-level domains where much is unwanted
	innards     int // into folders of a site's software where no page for people is
}

const (
	// maxLinks bounds how many links are looked at.
	maxLinks = 500
	// maxOrgs bounds how many different organizations are counted.
	maxOrgs = 100
)

var traitLink = bayes.Of("trait:link")

func (f *features) findPlainLinks(text []byte) {
	weburl.Find(text, weburl.Options{Count: maxLinks, Bare: true}, func(found weburl.Found) bool {
		f.addLink(found.URL, found.Raw, true)
		return len(f.links.hosts) < maxLinks
	})
}

func (f *features) findHTMLLinks(d *htmltext.Document) {
	for i := range d.Links {
		l := &d.Links[i]
		switch l.Kind {
		case htmltext.Anchor, htmltext.Form, htmltext.Refresh:
			f.addAnchor(l)
		case htmltext.Image:
			f.addImage(l)
		}
		if len(f.links.hosts) >= maxLinks {
			return
		}
	}
}

func (f *features) addImage(l *htmltext.Link) {
	if u, ok := f.links.parser.Parse(l.URL); ok && u.Host != "" {
		f.links.remote++
	}
}

func (f *features) addAnchor(l *htmltext.Link) {
	u, ok := f.links.parser.Parse(l.URL)
	if !ok {
		return
	}
	if u.Scheme == "javascript" || u.Scheme == "data" || u.Scheme == "vbscript" {
		f.links.scheme = true
	}
	if u.Host == "" {
		return
	}
	f.addLink(u, l.URL, false)
	f.compareWithText(u, l.Text)
}

// compareWithText looks whether an anchor shows an address of somebody else.
func (f *features) compareWithText(u weburl.URL, text []byte) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || len(text) > 200 || bytes.IndexByte(text, ' ') >= 0 {
		return
	}
	weburl.Find(text, weburl.Options{Count: 1, Bare: true}, func(found weburl.Found) bool {
		if shown := organization(found.URL.Host); shown != "" && shown != organization(u.Host) {
			f.links.lies++
		}
		return false
	})
}

func (f *features) addLink(u weburl.URL, raw []byte, plain bool) {
	l := &f.links
	if u.Host == "" || u.Tricks.Has(weburl.InvalidHost) {
		return
	}
	l.anchors++
	l.tricks |= u.Tricks
	if u.Tricks.Has(oddPort) {
		l.ports++
	}
	if u.IP.IsValid() && isPublic(u.IP) {
		l.numeric++
		l.numericHTML = l.numericHTML || !plain
	}
	if u.Host != l.last.host {
		l.last = lookAt(u)
		l.last.trait = bayes.Within(traitLink, words.Hash(l.last.org))
	}
	l.count(&l.last, raw)
	l.hosts = append(l.hosts, l.last.org)
	if l.orgs == nil {
		l.orgs = map[string]int{}
	}
	if n := l.orgs[l.last.org]; n > 0 || len(l.orgs) < maxOrgs {
		l.orgs[l.last.org] = n + 1
	}
	f.traits.Add(l.last.trait)
}

// host is what is known about where a link leads. Most links of a message lead to the same one.
type host struct {
	host, org string
	trait     bayes.Token // of the organization
	labels    int
	kind      hostKind
	// at most one of these, and none for a host of any kind
	cheap, doubted, abroad bool
	// and one of these
	feigned, near, random bool
}

func lookAt(u weburl.URL) host {
	if u.IP.IsValid() {
		return host{host: u.Host, org: u.Host, kind: known(u.Host)}
	}
	h := host{host: u.Host, org: organization(u.Host), labels: strings.Count(u.Host, ".") + 1, kind: known(u.Host)}
	if h.kind != 0 {
		return h
	}
	top := topLevel(u.Host)
	h.cheap, h.doubted, h.abroad = cheapTLDs[top], doubtfulTLDs[top], top == "ru" || top == "cn"
	label, _, _ := strings.Cut(h.org, ".")
	switch {
	case feigns(u.Host, h.org):
		h.feigned = true
	case looksAlike(label):
		h.near = true
	default:
		h.random = !strings.HasPrefix(label, "xn--") && looksRandom(label)
	}
	return h
}

func (l *linkFacts) count(h *host, raw []byte) {
	l.labels = max(l.labels, h.labels)
	if h.kind != 0 {
		l.countKind(h.kind, raw)
	}
	switch { // at most one of these
	case h.cheap:
		l.cheap++
	case h.doubted:
		l.doubted++
	case h.abroad:
		l.abroad++
	}
	switch { // and of these
	case h.feigned:
		l.feigned++
	case h.near:
		l.near++
	case h.random:
		l.random++
	}
	if isInnards(raw) {
		l.innards++
	}
}

func (l *linkFacts) countKind(kind hostKind, raw []byte) {
	if kind&shortener != 0 {
		l.short++
	}
	if kind&freeHost != 0 {
		l.free++
	}
	if kind&tracker != 0 {
		l.tracked++
	}
	if kind&redirects != 0 && isRedirect(raw) {
		l.hops++
	}
}

// baits are names of companies that forgers build into their own.
var baits = setOf("paypal amazon apple appleid icloud microsoft microsoft365 office365 outlook onedrive sharepoint netflix spotify facebook instagram whatsapp " +
	"linkedin docusign dropbox ebay walmart costco dhl fedex usps evri hermes royalmail bankofamerica wellsfargo chase citibank capitalone amex hsbc barclays " +
	"santander sparkasse volksbank postbank commerzbank bbva itau bradesco coinbase binance metamask trezor ledger trustwallet kraken airbnb " +
	"laposte colissimo ameli impots correos poste postepay inpost allegro postnl ing rabobank digid smbc rakuten")

// commonBaits are words of their own.
var commonBaits = setOf("apple amazon chase ledger hermes ing allegro kraken poste inpost correos ameli rakuten")

// feigns: the name begins as a company's, such as paypal.com, and goes on as somebody else's.
func feigns(host, org string) bool {
	below, found := strings.CutSuffix(host, "."+org)
	if !found {
		return false
	}
	for below != "" {
		label, rest, _ := strings.Cut(below, ".")
		next, _, _ := strings.Cut(rest, ".")
		if baits[label] && (next == "com" || next == "co" || next == "net" || len(next) == 2 && next != "") {
			return true
		}
		below = rest
	}
	return false
}

// looksAlike: a label that has a company's name between hyphens, and more.
func looksAlike(label string) bool {
	if strings.IndexByte(label, '-') < 0 || strings.HasPrefix(label, "xn--") {
		return false
	}
	for part := range strings.SplitSeq(label, "-") {
		if baits[part] && !commonBaits[part] {
			return true
		}
	}
	return false
}

// isRedirect: the address of a well-known site carries another one.
func isRedirect(raw []byte) bool {
	i := bytes.IndexByte(raw, '?')
	if i < 0 {
		i = bytes.Index(raw, []byte("/amp/"))
	}
	if i < 0 {
		return false
	}
	rest := bytes.ToLower(raw[i:min(len(raw), i+500)])
	return bytes.Contains(rest, []byte("http://")) || bytes.Contains(rest, []byte("https://")) || bytes.Contains(rest, []byte("http%3a")) ||
		bytes.Contains(rest, []byte("https%3a")) || bytes.HasPrefix(rest, []byte("/amp/"))
}

// isInnards: a folder of a site's software, where pages appear when somebody broke in.
func isInnards(raw []byte) bool {
	if !bytes.Contains(raw, []byte("/wp-")) && !bytes.Contains(raw, []byte("/.well")) {
		return false // nearly all
	}
	for _, folder := range []string{"/wp-includes/", "/wp-content/plugins/", "/wp-content/themes/", "/.well-known/"} {
		if bytes.Contains(raw, []byte(folder)) {
			return true
		}
	}
	return false
}

// findAimed looks what the links of a page are to the one who gets the message.
func (f *features) findAimed(d *htmltext.Document) {
	if f.links.anchors == 0 {
		return
	}
	for _, to := range f.header.to {
		f.links.aimed = f.links.aimed || f.carries(d, to.address)
	}
}

// carries reports whether a fragment of a link is an address, as it is or in Base64, or whether a link to where anybody puts
// pages has it in any place: pages that steal passwords fill it in.
func (f *features) carries(d *htmltext.Document, address string) bool {
	encoded := strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(address)), "=")
	for i := range d.Links {
		l := &d.Links[i]
		if l.Kind != htmltext.Anchor {
			continue
		}
		from := bytes.IndexByte(l.URL, '#')
		if f.links.free > 0 && from < 0 {
			if u, ok := f.links.parser.Parse(l.URL); ok && known(u.Host)&freeHost != 0 {
				from = bytes.IndexByte(l.URL, '?')
			}
		}
		if from < 0 || from+1 == len(l.URL) {
			continue
		}
		rest := string(l.URL[from+1:])
		if strings.Contains(strings.ToLower(rest), address) || len(encoded) > 12 && strings.Contains(rest, encoded) {
			return true
		}
	}
	return false
}
