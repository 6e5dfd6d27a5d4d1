package antispam

import (
	"strings"
	"unicode"

	"postern/antispam/lexicon"
	"postern/antispam/words"
	"postern/internal/message/weburl"
)

const (
	oddPort       = weburl.OddPort
	linkDisguises = weburl.Userinfo | weburl.PercentHost | weburl.NumericHost | weburl.MixedScript
)

// ahead reports whether the message is dated between so many hours before and after its arrival.
func (f *features) ahead(from, to float64) bool {
	if f.header.date.IsZero() || f.header.arrived.IsZero() {
		return false
	}
	hours := f.header.date.Sub(f.header.arrived).Hours()
	return hours >= from && hours < to
}

func isMessageID(id string) bool {
	id = strings.TrimSpace(id)
	at := strings.IndexByte(id, '@')
	return strings.HasPrefix(id, "<") && strings.HasSuffix(id, ">") && at > 1 && at < len(id)-2 && !strings.ContainsAny(id, " \t")
}

// nameIsOtherAddress: the name shows an address of another organization, as programs do that show names only.
func (f *features) nameIsOtherAddress() bool {
	at := strings.IndexByte(f.header.fromName, '@')
	if at <= 0 || at+1 == len(f.header.fromName) {
		return false
	}
	domain := f.header.fromName[at+1:]
	if end := strings.IndexFunc(domain, func(r rune) bool { return !isHostRune(r) }); end >= 0 {
		domain = domain[:end]
	}
	domain = strings.ToLower(strings.Trim(domain, ".-"))
	return strings.Contains(domain, ".") && organization(domain) != f.header.fromOrg
}

func isHostRune(r rune) bool {
	return r == '.' || r == '-' || r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z'
}

func (f *features) nameDisguised() bool {
	var s words.Stats
	words.Split([]byte(clip(f.header.fromName, 200)), &s, func(*words.Word) bool { return true })
	return s.Disguised > 0
}

func trailingDigits(s string) int {
	n := 0
	for n < len(s) && s[len(s)-1-n] >= '0' && s[len(s)-1-n] <= '9' {
		n++
	}
	return n
}

// looksRandom: letters and digits in turn, or consonants without end; addresses of mailing programs that carry ids in them
// have separators and are not meant.
func looksRandom(local string) bool {
	if len(local) < 8 || strings.ContainsAny(local, ".-_+=") {
		return false
	}
	changes, consonants, most := 0, 0, 0
	for i := range len(local) {
		c := local[i]
		digit := c >= '0' && c <= '9'
		if i > 0 && digit != (local[i-1] >= '0' && local[i-1] <= '9') {
			changes++
		}
		if !digit && !strings.ContainsRune("aeiouy", rune(c)) {
			consonants++
			most = max(most, consonants)
		} else {
			consonants = 0
		}
	}
	return changes >= 4 || most >= 7
}

// subjectEndsInID: the last word is a random one, apart from the others.
func (f *features) subjectEndsInID() bool {
	fields := strings.Fields(f.header.subject)
	if len(fields) < 3 {
		return false
	}
	last := fields[len(fields)-1]
	if !isASCII(last) || len(last) < 5 || len(last) > 20 || f.header.saysReply {
		return false
	}
	letters, digits, other := 0, 0, 0
	for _, r := range last {
		switch {
		case unicode.IsDigit(r):
			digits++
		case r < 0x80 && unicode.IsLetter(r):
			letters++
		default:
			other++
		}
	}
	if other > 2 || letters == 0 {
		return false
	}
	return digits > 0 && looksRandom(strings.ToLower(last)) || digits == 0 && looksRandom(strings.ToLower(last))
}

// oldMailer: programs that nobody has used for years, in mail of later years.
func (f *features) oldMailer() bool {
	if f.header.date.Year() < 2013 || f.header.isReply {
		return false
	}
	for _, old := range []string{"Microsoft Outlook Express", "The Bat! (v1", "The Bat! (v2", "The Bat! (v3", "Microsoft Outlook IMO", "Microsoft Outlook, Build 10", "Microsoft Outlook CWS", "QUALCOMM Windows Eudora", "AOL 9", "AOL 8", "AOL 7", "MIME-tools 5"} {
		if strings.HasPrefix(f.header.mailer, old) {
			return true
		}
	}
	return false
}

// nameOfReader: the author's name is what the reader's house or mailbox is called, as in "example.com IT support", and the
// author is of another house.
func (f *features) nameOfReader() bool {
	h := &f.header
	if h.fromName == "" || h.fromOrg == "" {
		return false
	}
	name := strings.ToLower(h.fromName)
	for _, to := range h.to {
		org := organization(to.domain)
		if org == h.fromOrg || known(to.domain)&freeMail != 0 {
			continue
		}
		if strings.Contains(name, org) || name == to.local && len(name) > 4 && strings.ContainsAny(name, "._-0123456789") {
			return true
		}
	}
	return false
}

// isForm: a form on a web page sends what somebody wrote into it, to the page's owner.
func (f *features) isForm() bool {
	return f.header.script && (f.header.fromOrg == f.header.toOrg || f.linksAgree())
}

func (f *features) fromCheap() bool { return cheapTLDs[topLevel(f.header.fromDomain)] }

// fromThrownAway: from a domain of a kind that is used for a day.
func (f *features) fromThrownAway() bool {
	return f.fromCheap() || doubtfulTLDs[topLevel(f.header.fromDomain)] || known(f.header.fromDomain)&(freeHost|tenant) != 0
}

// idOfMachine: see isUnnamed.
func (f *features) idOfMachine() bool {
	_, domain, _ := strings.Cut(strings.Trim(f.header.messageID, "<> "), "@")
	return isUnnamed(strings.ToLower(domain))
}

// isUnnamed recognises the names that Windows and the large hosters give to a server by themselves.
func isUnnamed(host string) bool {
	rest, windows := strings.CutPrefix(host, "win-")
	if windows && len(rest) >= 11 {
		digits := 0
		for i := range 11 {
			if isDigit(rest[i]) {
				digits++
			} else if rest[i] < 'a' || rest[i] > 'z' {
				return false
			}
		}
		return digits > 0 && (len(rest) == 11 || rest[11] == '.')
	}
	return strings.HasPrefix(host, "vm-") && (strings.HasSuffix(host, "-centos") || strings.HasSuffix(host, "-ubuntu") || strings.HasSuffix(host, "-debian"))
}

// falseOutlook: Outlook Express wrote Message-IDs with dollar signs, always.
func (f *features) falseOutlook() bool {
	if !strings.HasPrefix(f.header.mailer, "Microsoft Outlook Express") || f.header.talk || f.header.isReply || f.header.messageID == "" {
		return false
	}
	local, _, _ := strings.Cut(f.header.messageID, "@")
	return strings.Count(local, "$") != 2
}

// foreignCharset: the charset is one for another script, and the text is Latin.
func (f *features) foreignCharset() bool {
	if f.text.Latin < 50 || f.text.Block+f.text.Cyr > f.text.Latin/50 {
		return false
	}
	c := f.structure.charset
	for _, prefix := range []string{"gb", "big5", "koi8", "euc-", "iso-2022-", "ks_c", "windows-1251", "shift_jis", "windows-874", "iso-8859-5", "hz-"} {
		if strings.HasPrefix(c, prefix) {
			return true
		}
	}
	return false
}

func (f *features) attached(is func(*attachment) bool) bool {
	for i := range f.structure.attachments {
		if is(&f.structure.attachments[i]) {
			return true
		}
	}
	return false
}

var (
	programs = setOf(".exe .scr .pif .com .bat .cmd .vbs .vbe .js .jse .wsf .wsh .hta .lnk .jar .msi .cpl .ps1 .reg .chm .application .gadget .msc .scf .xll .dll .appx .msix")
	oddFiles = setOf(".iso .img .vhd .vhdx .ace .r00 .r01 .arj .lzh .z .uue .cab .gz .xz .lha .one .udf .daa .wim .arc")
	macros   = setOf(".docm .dotm .xlsm .xltm .xlam .pptm .potm .ppam .ppsm .sldm .xlsb")
	pages    = setOf(".htm .html .shtml .xhtml .svg .mht .mhtml .xht")
	archives = setOf(".zip .rar .7z .tar .tgz .gz .bz2")
	papers   = setOf(".pdf .doc .docx .xls .xlsx .ppt .pptx .jpg .jpeg .png .gif .txt .rtf .csv")
)

func isProgram(a *attachment) bool { return programs[a.ext] }
func isMacro(a *attachment) bool   { return macros[a.ext] }
func isPage(a *attachment) bool {
	return pages[a.ext] && a.ext != ".svg" || a.ext == ".svg" && a.size > 2000
}

func isOddArchive(a *attachment) bool { return oddFiles[a.ext] && a.ext != ".gz" && a.ext != ".xz" }

func isRisky(a *attachment) bool {
	return programs[a.ext] || oddFiles[a.ext] || macros[a.ext] || pages[a.ext] || archives[a.ext]
}

// isDoubleExtension: "invoice.pdf.exe", "photo.jpg      .scr".
func isDoubleExtension(a *attachment) bool {
	if !programs[a.ext] && !pages[a.ext] && !oddFiles[a.ext] || a.ext == ".gz" {
		return false
	}
	rest := strings.TrimRight(strings.TrimSuffix(a.name, a.ext), " ._-")
	i := strings.LastIndexByte(rest, '.')
	return i >= 0 && papers[rest[i:]]
}

// isLie: a paper's name and a page's type, or the other way round.
func isLie(a *attachment) bool {
	return papers[a.ext] && a.ext != ".txt" && a.ext != ".csv" && (a.typ == "text/html" || a.typ == "application/x-msdownload" || a.typ == "application/x-dosexec") ||
		pages[a.ext] && (a.typ == "application/pdf" || strings.HasPrefix(a.typ, "image/") && a.ext != ".svg")
}

// numericLinks: a page leads to addresses in numbers, or a fifth of a plain text's links do.
func (f *features) numericLinks() bool {
	return (f.links.numericHTML || f.links.numeric > 0 && f.links.numeric*5 >= f.links.anchors) && !f.header.isReply && !f.header.talk
}

// shadyLinks: most links lead where they can be had for nothing.
func (f *features) shadyLinks() bool {
	l := &f.links
	shady := l.short + l.free + l.cheap + l.hops + l.feigned + l.innards
	if f.header.list || l.orgs[f.header.fromOrg]*2 > l.anchors && !f.fromCheap() && known(f.header.fromDomain)&(freeHost|tenant) == 0 {
		return l.tricks.Has(linkDisguises)
	}
	return shady > 0 && shady*2 >= l.anchors || l.numeric > 0 || l.tricks.Has(linkDisguises) || l.aimed
}

func (f *features) shortWithLink() bool {
	return f.text.Letters < 250 && f.links.anchors > 0 && f.links.anchors <= 3 && !f.header.isReply && !f.header.list && len(f.structure.attachments) == 0
}

// idAgrees: whoever wrote the message, the program that made its identifier ran at the author's organization.
func (f *features) idAgrees() bool {
	_, domain, ok := strings.Cut(strings.Trim(f.header.messageID, "<> "), "@")
	return ok && f.header.fromOrg != "" && organization(strings.ToLower(domain)) == f.header.fromOrg && !f.header.fromFree
}

// idOfReceiver: a message that came without an identifier got one from the server that took it in.
func (f *features) idOfReceiver() bool {
	_, domain, ok := strings.Cut(strings.Trim(f.header.messageID, "<> "), "@")
	return ok && f.header.toOrg != "" && f.header.toOrg != f.header.fromOrg && organization(strings.ToLower(domain)) == f.header.toOrg && !f.header.isReply
}

// linksForeign: no link leads to the author's organization, and most not through what newsletters count clicks with.
func (f *features) linksForeign() bool {
	return f.links.anchors > 0 && f.links.orgs[f.header.fromOrg] == 0 && f.links.tracked*2 < f.links.anchors
}

// madeToPhish: a short text says that something went wrong, with what, and what to do about it, and has a link for that. That
// is how notices of companies are made too; they are signed.
func (f *features) madeToPhish() bool {
	p := &f.phrases
	return p.Weight(lexicon.Threat) >= telling && p.Weight(lexicon.Asset) >= telling && p.Weight(lexicon.Call) >= telling &&
		f.links.anchors >= 1 && f.links.anchors <= 6 && f.text.Letters < 1800 && f.apart() && !f.header.leave
}

// leadsTo: some link leads to the company.
func (f *features) leadsTo(b *brand) bool {
	for org := range f.links.orgs {
		if b.owns(org) {
			return true
		}
	}
	return false
}

// speaksOfOthers: the subject or the text names a company that neither the author nor any link belongs to.
func (f *features) speaksOfOthers() bool {
	for _, b := range f.text.brands[:f.text.branded] {
		if !b.owns(f.header.fromDomain) && !f.leadsTo(b) {
			return true
		}
	}
	return false
}

// brandUnsigned: companies whose names forgers use have signed for years, and send from their own servers or with somebody
// else's signature.
func (f *features) brandUnsigned() bool {
	h := &f.header
	return h.brandGenuine && !h.signed && h.date.Year() >= 2015 && f.apart() && f.relay.known && f.relay.asked && !h.brand.owns(f.relay.name)
}

// freeUnsigned: the large providers have signed everything for years.
func (f *features) freeUnsigned() bool {
	h := &f.header
	return h.fromFree && !h.signed && h.date.Year() >= 2018 && !h.talk && signers[h.fromDomain]
}

var signers = setOf("gmail.com googlemail.com yahoo.com ymail.com yahoo.co.uk outlook.com hotmail.com live.com msn.com hotmail.co.uk aol.com icloud.com me.com mac.com " +
	"gmx.de gmx.net web.de mail.ru yandex.ru yandex.com proton.me protonmail.com")

// bareLink: hardly anything but one link, from a free mailbox.
func (f *features) bareLink() bool {
	return f.links.anchors == 1 && f.text.Letters < 150 && f.header.fromFree && f.apart() && len(f.structure.attachments) == 0
}

// linksAgree: a third of the links or more lead to where the author is from.
func (f *features) linksAgree() bool {
	return f.links.anchors > 0 && f.links.innards == 0 && !f.header.fromFree && f.header.fromOrg != "" &&
		f.links.orgs[f.header.fromOrg]*3 >= f.links.anchors
}
