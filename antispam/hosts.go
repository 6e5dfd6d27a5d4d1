package antispam

import (
	_ "embed"
	"strings"

	"postern/internal/mailauth"
)

// organization is the organizational domain of a name, "" for none.
func organization(domain string) string {
	if domain == "" {
		return ""
	}
	return mailauth.OrganizationalDomain(domain)
}

//go:embed hosts.tsv
var hostList string

// hostKind is what is known about a domain.
type hostKind uint8

const (
	freeMail  hostKind = 1 << iota // anybody gets an address there
	shortener                      // its links lead elsewhere
	freeHost                       // anybody puts pages there
	redirects                      // a well-known site that can be used to lead elsewhere
	tracker                        // links of newsletters lead through it
	mailing                        // sends newsletters for others, and looks after them
	tenant                         // names that a provider gives to customers who have none of their own
)

// hosts are domains by what is known about them; a name below one is like it.
var hosts = func() map[string]hostKind {
	kinds := map[string]hostKind{"mail": freeMail, "short": shortener, "host": freeHost, "redirect": redirects, "track": tracker, "mailing": mailing, "tenant": tenant}
	list := map[string]hostKind{}
	for line := range strings.Lines(hostList) {
		kind, domain, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if ok && kinds[kind] != 0 {
			list[domain] |= kinds[kind]
		}
	}
	return list
}()

// maxName is the longest name that the DNS can hold (RFC 1035 2.3.4).
const maxName = 253

// known tells what is known about a name or those it stands below. What is too long for a name is none, or a stranger could
// have us look at the rest of it behind each of its dots.
func known(host string) (kind hostKind) {
	for host != "" && len(host) <= maxName {
		kind |= hosts[host]
		_, host, _ = strings.Cut(host, ".")
	}
	return kind
}

// providers are what the servers of the large free mail providers are called, by what their addresses' domains begin with.
var providers = []struct{ domain, servers string }{
	{"gmail.", "google.com gmail.com"}, {"googlemail.", "google.com"}, {"yahoo.", "yahoo. yahoodns"}, {"ymail.", "yahoo."}, {"rocketmail.", "yahoo."},
	{"hotmail.", "hotmail. outlook. msn. microsoft. live."}, {"outlook.", "outlook. hotmail. microsoft."}, {"live.", "outlook. hotmail. live. microsoft."},
	{"msn.", "hotmail. outlook. msn."}, {"aol.", "aol. yahoo."}, {"aim.", "aol. yahoo."}, {"icloud.", "apple. icloud. me.com mac.com"}, {"me.com", "apple. icloud. me.com mac.com"},
	{"gmx.", "gmx."}, {"web.de", "web.de"}, {"mail.ru", "mail.ru"}, {"yandex.", "yandex."}, {"qq.com", "qq.com"}, {"163.com", "163.com netease"}, {"126.com", "126.com netease"},
}

// isKnownProvider: the domain is of a provider whose servers' names we know.
func isKnownProvider(domain string) bool {
	for _, p := range providers {
		if strings.HasPrefix(domain, p.domain) {
			return true
		}
	}
	return false
}

// namesProvider reports whether a text names a server of the provider that a domain belongs to.
func namesProvider(domain, text string) bool {
	text = strings.ToLower(text)
	for _, p := range providers {
		if strings.HasPrefix(domain, p.domain) {
			for name := range strings.FieldsSeq(p.servers) {
				if strings.Contains(text, name) {
					return true
				}
			}
			return false
		}
	}
	return true
}

func isFreeMail(domain string) bool { return known(domain)&freeMail != 0 }

// cheapTLDs are top-level domains that were given away or sold so cheaply that most of their mail is unwanted; doubtfulTLDs
// those where much of it is.
var (
	cheapTLDs = setOf("xyz top icu click buzz cyou rest monster quest cam sbs cfd bond lol autos boats beauty hair skin makeup mom pics yachts homes " +
		"motorcycles tk ml ga cf gq loan win bid trade date stream download racing review party science faith accountant cricket men gdn " +
		"country webcam uno zip mov")
	doubtfulTLDs = setOf("work kim guru host press fun space site website online live club vip wang shop surf link pw su cc ws best fit one store pro life world today email support")
)

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}

// topLevel is the last label of a name.
func topLevel(host string) string { return host[strings.LastIndexByte(host, '.')+1:] }
