package antispam

import (
	"strings"
	"unicode"

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
	if len(last) < 5 || len(last) > 20 || f.header.saysReply {
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
	if f.header.date.Year() < 2012 {
		return false
	}
	for _, old := range []string{"Microsoft Outlook Express", "The Bat! (v1", "The Bat! (v2", "The Bat! (v3", "Microsoft Outlook IMO", "Microsoft Outlook, Build 10", "Microsoft Outlook CWS", "QUALCOMM Windows Eudora", "AOL 9", "AOL 8", "AOL 7", "MIME-tools 5"} {
		if strings.HasPrefix(f.header.mailer, old) {
			return true
		}
	}
	return false
}

// falseOutlook: Outlook Express wrote Message-IDs with dollar signs, always.
func (f *features) falseOutlook() bool {
	if !strings.HasPrefix(f.header.mailer, "Microsoft Outlook Express") || f.header.list || f.header.messageID == "" {
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
	rest := strings.TrimRight(strings.TrimSuffix(strings.TrimRight(a.name, " ."), a.ext), " ._-")
	i := strings.LastIndexByte(rest, '.')
	return i >= 0 && papers[rest[i:]]
}

// isLie: a paper's name and a page's type, or the other way round.
func isLie(a *attachment) bool {
	return papers[a.ext] && a.ext != ".txt" && a.ext != ".csv" && (a.typ == "text/html" || a.typ == "application/x-msdownload" || a.typ == "application/x-dosexec") ||
		pages[a.ext] && (a.typ == "application/pdf" || strings.HasPrefix(a.typ, "image/") && a.ext != ".svg")
}

func (f *features) numericLinks() bool {
	return f.links.tricks.Has(weburl.IPHost) && !f.header.isReply
}

// shadyLinks: most links lead where they can be had for nothing.
func (f *features) shadyLinks() bool {
	l := &f.links
	shady := l.short + l.free + l.cheap + l.hops
	return shady > 0 && shady*2 >= l.anchors || l.tricks.Has(weburl.IPHost|linkDisguises) || l.aimed
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

// linksAgree: a third of the links or more lead to where the author is from.
func (f *features) linksAgree() bool {
	return f.links.anchors > 0 && !f.header.fromFree && f.header.fromOrg != "" && f.links.orgs[f.header.fromOrg]*3 >= f.links.anchors
}
