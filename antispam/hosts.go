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
)

// hosts are domains by what is known about them; a name below one is like it.
var hosts = func() map[string]hostKind {
	kinds := map[string]hostKind{"mail": freeMail, "short": shortener, "host": freeHost, "redirect": redirects}
	list := map[string]hostKind{}
	for line := range strings.Lines(hostList) {
		kind, domain, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if ok && kinds[kind] != 0 {
			list[domain] |= kinds[kind]
		}
	}
	return list
}()

// known tells what is known about a name or those it stands below.
func known(host string) (kind hostKind) {
	for host != "" {
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

// cheapTLDs are top-level domains that were given away or sold so cheaply that most of their mail is unwanted.
var cheapTLDs = setOf("xyz top icu click buzz cyou rest monster quest cam sbs cfd bond lol autos boats beauty hair skin makeup mom pics yachts homes " +
	"motorcycles tk ml ga cf gq work loan win bid trade date stream download racing review party science faith accountant cricket men gdn " +
	"kim country webcam guru host press fun space site website online live club vip wang shop surf uno icu link pw ru su cc ws best fit one")

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}

// topLevel is the last label of a name.
func topLevel(host string) string { return host[strings.LastIndexByte(host, '.')+1:] }

// brands are names that forgers write in front of their own address, with what the real ones' domains contain.
var brands = []struct {
	name  string // words of the display name, as package words folds them
	parts []string
}{
	{"paypal", []string{"paypal"}},
	{"amazon", []string{"amazon", "amzn", "audible"}},
	{"amazon prime", []string{"amazon", "primevideo"}},
	{"apple", []string{"apple", "icloud"}},
	{"apple id", []string{"apple"}},
	{"icloud", []string{"apple", "icloud"}},
	{"itunes", []string{"apple", "itunes"}},
	{"microsoft", []string{"microsoft", "outlook", "office", "live", "xbox", "skype", "azure", "onmicrosoft", "msn"}},
	{"office 365", []string{"microsoft", "office"}},
	{"office365", []string{"microsoft", "office"}},
	{"microsoft 365", []string{"microsoft", "office"}},
	{"outlook", []string{"microsoft", "outlook", "live", "hotmail"}},
	{"onedrive", []string{"microsoft", "onedrive", "live", "sharepoint"}},
	{"sharepoint", []string{"microsoft", "sharepoint"}},
	{"netflix", []string{"netflix"}},
	{"spotify", []string{"spotify"}},
	{"disney", []string{"disney", "go.com"}},
	{"hulu", []string{"hulu"}},
	{"facebook", []string{"facebook", "fb.com", "meta"}},
	{"meta business", []string{"facebook", "meta", "fb"}},
	{"instagram", []string{"instagram", "facebook", "meta"}},
	{"whatsapp", []string{"whatsapp", "facebook", "meta"}},
	{"linkedin", []string{"linkedin"}},
	{"twitter", []string{"twitter", "x.com"}},
	{"tiktok", []string{"tiktok", "bytedance"}},
	{"telegram", []string{"telegram"}},
	{"dropbox", []string{"dropbox"}},
	{"docusign", []string{"docusign"}},
	{"adobe", []string{"adobe"}},
	{"wetransfer", []string{"wetransfer"}},
	{"google", []string{"google", "gmail", "youtube", "android", "chromium", "goog"}},
	{"gmail", []string{"google", "gmail"}},
	{"yahoo", []string{"yahoo", "ymail", "rocketmail"}},
	{"ebay", []string{"ebay"}},
	{"walmart", []string{"walmart"}},
	{"costco", []string{"costco"}},
	{"home depot", []string{"homedepot"}},
	{"lowes", []string{"lowes"}},
	{"ace hardware", []string{"acehardware"}},
	{"dicks sporting", []string{"dicks", "dcsg"}},
	{"cvs", []string{"cvs"}},
	{"walgreens", []string{"walgreens"}},
	{"kohls", []string{"kohls"}},
	{"sams club", []string{"samsclub"}},
	{"best buy", []string{"bestbuy"}},
	{"geek squad", []string{"bestbuy", "geeksquad"}},
	{"norton", []string{"norton", "symantec", "gen"}},
	{"mcafee", []string{"mcafee"}},
	{"lifelock", []string{"lifelock", "norton"}},
	{"dhl", []string{"dhl", "deutschepost"}},
	{"fedex", []string{"fedex"}},
	{"ups", []string{"ups"}},
	{"usps", []string{"usps"}},
	{"royal mail", []string{"royalmail"}},
	{"evri", []string{"evri", "hermes"}},
	{"dpd", []string{"dpd"}},
	{"post office", []string{"post"}},
	{"bank of america", []string{"bankofamerica", "bofa", "ml.com"}},
	{"wells fargo", []string{"wellsfargo"}},
	{"chase", []string{"chase", "jpmorgan"}},
	{"chase bank", []string{"chase", "jpmorgan"}},
	{"citibank", []string{"citi"}},
	{"capital one", []string{"capitalone"}},
	{"american express", []string{"americanexpress", "aexp", "amex"}},
	{"mastercard", []string{"mastercard"}},
	{"us bank", []string{"usbank"}},
	{"hsbc", []string{"hsbc"}},
	{"barclays", []string{"barclay"}},
	{"lloyds", []string{"lloyds"}},
	{"natwest", []string{"natwest"}},
	{"santander", []string{"santander"}},
	{"sparkasse", []string{"sparkasse", "spk"}},
	{"volksbank", []string{"volksbank", "vr-"}},
	{"postbank", []string{"postbank"}},
	{"commerzbank", []string{"commerzbank"}},
	{"deutsche bank", []string{"db.com", "deutsche-bank", "deutschebank"}},
	{"bradesco", []string{"bradesco"}},
	{"itau", []string{"itau"}},
	{"banco do brasil", []string{"bb.com", "bancodobrasil"}},
	{"bbva", []string{"bbva"}},
	{"westpac", []string{"westpac"}},
	{"commonwealth bank", []string{"commbank", "cba"}},
	{"irs", []string{"irs.gov"}},
	{"hmrc", []string{"gov.uk"}},
	{"internal revenue service", []string{"irs.gov"}},
	{"social security", []string{"ssa.gov"}},
	{"coinbase", []string{"coinbase"}},
	{"binance", []string{"binance"}},
	{"metamask", []string{"metamask", "consensys"}},
	{"trust wallet", []string{"trustwallet"}},
	{"ledger", []string{"ledger"}},
	{"trezor", []string{"trezor"}},
	{"kraken", []string{"kraken"}},
	{"blockchain", []string{"blockchain"}},
	{"opensea", []string{"opensea"}},
	{"cash app", []string{"cash.app", "square", "block.xyz"}},
	{"venmo", []string{"venmo", "paypal"}},
	{"zelle", []string{"zelle"}},
	{"western union", []string{"westernunion"}},
	{"moneygram", []string{"moneygram"}},
	{"godaddy", []string{"godaddy", "secureserver"}},
	{"ionos", []string{"ionos", "1and1"}},
	{"ovh", []string{"ovh"}},
	{"cpanel", []string{"cpanel"}},
	{"roundcube", []string{"roundcube"}},
	{"zimbra", []string{"zimbra", "synacor"}},
	{"att", []string{"att"}},
	{"verizon", []string{"verizon"}},
	{"tmobile", []string{"t-mobile", "tmobile"}},
	{"xfinity", []string{"xfinity", "comcast"}},
	{"comcast", []string{"xfinity", "comcast"}},
	{"steam", []string{"steam", "valve"}},
	{"booking com", []string{"booking"}},
	{"airbnb", []string{"airbnb"}},
	{"shopify", []string{"shopify"}},
	{"temu", []string{"temu"}},
	{"shein", []string{"shein"}},
	{"starbucks", []string{"starbucks"}},
	{"omaha steaks", []string{"omahasteaks"}},
	{"harbor freight", []string{"harborfreight"}},
	{"state farm", []string{"statefarm"}},
	{"ring", []string{"ring", "amazon"}},
	{"mailbox", nil}, {"mail admin", nil}, {"webmail", nil}, {"webmail admin", nil}, {"mail administrator", nil},
}
