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
	links   []link
	orgs    map[string]int // organizational domains of anchors, and how many lead there
	tricks  weburl.Tricks
	anchors int // links that one clicks
	remote  int // images that are fetched
	lies    int // anchors whose text shows another organization than they lead to
	scheme  bool
	short   int // through shorteners
	free    int // to hosts where anybody puts pages
	cheap   int // to top-level domains that are nearly given away
	aimed   bool
	hops    int // redirectors of well-known sites
	random  int // to names that look random
	labels  int // the most labels of a host
}

// link is one place to go to.
type link struct {
	host, org string
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
		return len(f.links.links) < maxLinks
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
		if len(f.links.links) >= maxLinks {
			return
		}
	}
}

func (f *features) addImage(l *htmltext.Link) {
	if u, ok := weburl.Parse(l.URL); ok && u.Host != "" {
		f.links.remote++
	}
}

func (f *features) addAnchor(l *htmltext.Link) {
	u, ok := weburl.Parse(l.URL)
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
	org := organization(u.Host)
	if u.IP.IsValid() {
		org = u.Host
	}
	l.anchors++
	l.tricks |= u.Tricks
	l.links = append(l.links, link{host: u.Host, org: org})
	l.countHost(u, raw)
	if l.orgs == nil {
		l.orgs = map[string]int{}
	}
	if _, ok := l.orgs[org]; ok || len(l.orgs) < maxOrgs {
		l.orgs[org]++
	}
	f.traits.Add(bayes.Within(traitLink, words.Hash(org)))
}

func (l *linkFacts) countHost(u weburl.URL, raw []byte) {
	kind := known(u.Host)
	if kind&shortener != 0 {
		l.short++
	}
	if kind&freeHost != 0 {
		l.free++
	}
	if !u.IP.IsValid() {
		l.labels = max(l.labels, strings.Count(u.Host, ".")+1)
		if cheapTLDs[topLevel(u.Host)] && kind == 0 {
			l.cheap++
		}
	}
	if label, _, _ := strings.Cut(organization(u.Host), "."); kind == 0 && !u.IP.IsValid() && !strings.HasPrefix(label, "xn--") && looksRandom(label) {
		l.random++
	}
	if kind&redirects != 0 && isRedirect(raw) {
		l.hops++
	}
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

// readLinks looks what the links are to the one who gets the message.
func (f *features) readLinks(m *Mail) {
	if f.links.anchors == 0 {
		return
	}
	for _, to := range m.Recipients {
		f.links.aimed = f.links.aimed || f.carries(to.Local+"@"+to.Domain)
	}
	if len(m.Recipients) == 0 {
		for _, to := range m.Parsed.Envelope.To[:min(len(m.Parsed.Envelope.To), 3)] {
			if to.Host != "" {
				f.links.aimed = f.links.aimed || f.carries(to.Local+"@"+to.Host)
			}
		}
	}
}

// carries reports whether a fragment of a link is an address, as it is or in Base64: pages that steal passwords fill it in.
func (f *features) carries(address string) bool {
	encoded := strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(address)), "=")
	for i := range f.reader.document.Links {
		l := &f.reader.document.Links[i]
		hash := bytes.IndexByte(l.URL, '#')
		if l.Kind != htmltext.Anchor || hash < 0 || hash+1 == len(l.URL) {
			continue
		}
		fragment := string(l.URL[hash+1:])
		if strings.Contains(strings.ToLower(fragment), strings.ToLower(address)) || len(encoded) > 12 && strings.Contains(fragment, encoded) {
			return true
		}
	}
	return false
}
