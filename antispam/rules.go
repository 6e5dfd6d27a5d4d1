package antispam

import (
	"strings"
	"sync"

	"postern/antispam/lexicon"
	"postern/internal/verdict"
)

// rule is one line of the table of points.
type rule struct {
	name   string
	points float64
	about  string
	when   func(*features) bool
}

// tables are the rules by what they are about.
func tables() []table {
	return []table{{"header", headerRules}, {"relay", relayRules}, {"structure", structureRules}, {"text", textRules},
		{"links", linkRules}, {"phrases", phraseRules}, {"joint", jointRules}}
}

type table struct {
	name  string
	rules []rule
}

// Rule describes a rule for people.
type Rule struct {
	Table  string         `json:"table"`
	Name   string         `json:"name"`
	Points verdict.Points `json:"points"`
	About  string         `json:"about"`
}

// Rules lists the points of all rules.
func Rules() []Rule {
	var list []Rule
	for _, t := range tables() {
		for _, r := range t.rules {
			list = append(list, Rule{t.name, r.name, verdict.P(r.points), r.about})
		}
	}
	return list
}

// Tables names what rules are about, in their order.
func Tables() []string {
	var list []string
	for _, t := range tables() {
		list = append(list, t.name)
	}
	return list
}

// TableOf names what a rule is about.
func TableOf(rule string) string { return tableOf()[rule] }

var tableOf = sync.OnceValue(func() map[string]string {
	of := map[string]string{}
	for _, t := range tables() {
		for _, r := range t.rules {
			of[r.name] = t.name
		}
	}
	return of
})

var headerRules = []rule{
	{"NO_FROM", 1.0, "no author", func(f *features) bool { return f.header.fromDomain == "" }},
	{"NO_DATE", 0.8, "no Date field", func(f *features) bool { return !f.header.hasDate }},
	{"BAD_DATE", 1.0, "a Date that cannot be read", func(f *features) bool { return f.header.hasDate && f.header.date.IsZero() }},
	{"DATE_AHEAD", 1.4, "dated hours ahead of its arrival", func(f *features) bool { return f.ahead(6, 24*4) }},
	{"DATE_FAR_AHEAD", 2.6, "dated days ahead of its arrival", func(f *features) bool { return f.ahead(24*4, 1e9) }},
	{"DATE_BEHIND", 0.8, "dated days before its arrival", func(f *features) bool { return f.ahead(-24*30, -24*4) }},
	{"DATE_FAR_BEHIND", 1.0, "dated a month or more before its arrival", func(f *features) bool { return f.ahead(-1e9, -24*30) }},
	{"NO_MESSAGE_ID", 0.6, "no Message-ID", func(f *features) bool { return f.header.messageID == "" }},
	{"BAD_MESSAGE_ID", 1.2, "a Message-ID that is none", func(f *features) bool { return f.header.messageID != "" && !isMessageID(f.header.messageID) }},
	{"NO_SUBJECT", 0.8, "no subject", func(f *features) bool { return strings.TrimSpace(f.header.subject) == "" }},
	{"NO_TO", 0.7, "addressed to nobody", func(f *features) bool { return !f.header.hasTo }},
	{"UNDISCLOSED", 0.9, "addressed to undisclosed recipients", func(f *features) bool { return f.header.hasTo && f.header.undisclosed }},
	{"TO_NONE", 0.8, "To holds no address", func(f *features) bool { return f.header.hasTo && !f.header.undisclosed && f.header.recipients == 0 }},
	{"TO_SELF", 0.4, "addressed to its own author", func(f *features) bool { return f.header.toSelf }},
	{"NAME_IS_OTHER_ADDRESS", 1.6, "the author's name is an address elsewhere", func(f *features) bool { return !f.header.talk && f.nameIsOtherAddress() }},
	{"NAME_OF_READER", 1.6, "the author's name is the reader's organization or address, and the address is of another", func(f *features) bool {
		return !f.header.talk && f.nameOfReader()
	}},
	{"REPLY_TO_FREE", 1.7, "answers go to a free mail provider", func(f *features) bool {
		return f.header.replyOther && f.header.replyFree && !f.header.fromFree && !f.header.talk && !f.header.group && !f.isForm()
	}},
	{"REPLY_TO_OTHER_FREE", 2.0, "from one free mailbox, answers to another", func(f *features) bool {
		return f.header.replyOther && f.header.replyFree && f.header.fromFree && !f.header.talk && !f.header.group
	}},
	{"FREE_DIGITS", 0.5, "a free mailbox whose name ends in digits", func(f *features) bool { return f.header.fromFree && trailingDigits(f.header.fromLocal) >= 4 }},
	{"FROM_RANDOM", 1.0, "the author's address looks random", func(f *features) bool { return looksRandom(f.header.fromLocal) }},
	{"FROM_CHEAP_TLD", 1.2, "from a domain that is nearly given away", func(f *features) bool { return f.fromCheap() }},
	{"FROM_DOUBTFUL_TLD", 0.5, "from a domain of a kind that is often thrown away", func(f *features) bool { return doubtfulTLDs[topLevel(f.header.fromDomain)] }},
	{"FROM_TENANT", 1.0, "from a domain that a provider gives to those who have none", func(f *features) bool { return known(f.header.fromDomain)&tenant != 0 }},
	{"NAME_DISGUISED", 3.0, "the author's name is written in disguise", func(f *features) bool { return f.nameDisguised() }},
	{"SUBJECT_DISGUISED", 3.0, "the subject has words in disguise", func(f *features) bool { return f.header.subjectWords.Disguised > 0 }},
	{"SUBJECT_CAPS", 1.2, "the subject is in capitals", func(f *features) bool {
		s := &f.header.subjectWords
		return s.Upper >= 10 && s.Upper == s.Latin && s.Words >= 2
	}},
	{"SUBJECT_EXCLAIMS", 0.7, "the subject exclaims", func(f *features) bool {
		return f.header.subjectWords.Exclaims >= 2 || f.header.subjectWords.Exclaims > 0 && strings.HasPrefix(f.header.subject, "!")
	}},
	{"SUBJECT_MONEY", 0.6, "the subject names money", func(f *features) bool { return f.header.subjectWords.Currency > 0 }},
	{"SUBJECT_GAP", 2.0, "the subject ends far to the right", func(f *features) bool { return strings.Contains(f.header.subject, "      ") }},
	{"SUBJECT_ENCODED", 0.5, "the subject is encoded without need", func(f *features) bool { return f.header.encodedASCII }},
	{"SUBJECT_TO_YOU", 1.1, "the subject names the recipient's address", func(f *features) bool { return f.header.subjectNames && !f.structure.calendar }},
	{"SUBJECT_ID", 1.0, "the subject ends in a random word", func(f *features) bool { return f.subjectEndsInID() }},
	{"FALSE_REPLY", 0.2, "says to be an answer and names nothing that it answers", func(f *features) bool { return f.header.saysReply && !f.header.isReply }},
	{"REPLY", -1.0, "an answer that quotes", func(f *features) bool { return f.header.isReply && f.text.quoted >= 2 && f.text.lines > f.text.quoted }},
	{"ANSWER", -0.4, "an answer that names what it answers", func(f *features) bool { return f.header.isReply && f.header.saysReply && f.text.quoted < 2 }},
	{"LIST", -0.4, "from a mailing list", func(f *features) bool { return f.header.list }},
	{"LIST_TALK", -0.4, "from a mailing list on which people talk", func(f *features) bool { return f.header.talk }},
	{"LIST_TO_LEAVE", -0.8, "tells programs how to unsubscribe, under its author's signature or with a mailing provider's links", func(f *features) bool {
		return f.header.leave && (f.header.signedBy || f.links.anchors > 0 && f.links.tracked*2 >= f.links.anchors) && !f.header.fromFree && !f.fromThrownAway()
	}},
	{"ID_AGREES", -0.4, "the Message-ID is of the author's organization", func(f *features) bool { return f.idAgrees() && !f.header.brandForged && !f.fromCheap() }},
	{"IMPORTANT", 0.5, "calls itself important", func(f *features) bool { return f.header.urgent }},
	{"FREE_UNSIGNED", 1.2, "from a provider that signs all its mail, and without any signature", func(f *features) bool { return f.freeUnsigned() }},
	{"SCRIPT", 0.6, "sent by a script on a web server", func(f *features) bool { return f.header.script }},
	{"OLD_MAILER", 1.8, "claims a program that is out of use since years", func(f *features) bool { return f.oldMailer() }},
	{"OUTLOOK_BARE", 1.5, "claims Outlook and lacks what Outlook adds", func(f *features) bool {
		return strings.HasPrefix(f.header.mailer, "Microsoft Outlook") && !f.header.outlook && !f.header.talk && !f.header.isReply
	}},
	{"ID_OF_MACHINE", 1.2, "the Message-ID was made on a rented server that nobody gave a name", func(f *features) bool { return f.idOfMachine() }},
	{"TO_RECIPIENTS", 1.4, "addressed to \"Recipients\"", func(f *features) bool { return f.header.toRecipients }},
	{"ID_OF_RECEIVER", 0.7, "the Message-ID was made at the recipient's side", func(f *features) bool { return f.idOfReceiver() && !f.header.talk && !f.header.group }},
	{"RECIPIENTS_SORTED", 1.8, "recipients in the order of a list", func(f *features) bool { return f.header.sorted }},
	{"SIGNED_BY_AUTHOR", -0.6, "a DKIM signature of the author's organization", func(f *features) bool { return f.header.signedBy && !f.header.fromFree }},
	{"FALSE_OUTLOOK", 1.8, "claims Outlook Express, whose Message-IDs look different", func(f *features) bool { return f.falseOutlook() }},
}

var relayRules = []rule{
	{"RELAY_NAMELESS", 0.7, "the client has no name in the DNS", func(f *features) bool { return f.relay.known && f.relay.asked && f.relay.name == "" }},
	{"RELAY_DYNAMIC", 1.4, "the client is a customer's line", func(f *features) bool { return f.relay.known && looksDynamic(f.relay.name, f.relay.ip) }},
	{"HELO_DYNAMIC", 1.4, "the client calls itself a customer's line", func(f *features) bool { return f.relay.known && looksDynamic(f.relay.helo, f.relay.ip) }},
	{"HELO_ADDRESS", 1.4, "the client has no name for itself but an address", func(f *features) bool { return f.relay.known && isAddressLiteral(f.relay.helo) }},
	{"HELO_BARE", 0.7, "the client's name for itself is no full name", func(f *features) bool {
		return f.relay.known && f.relay.helo != "" && !strings.Contains(f.relay.helo, ".") && !isAddressLiteral(f.relay.helo)
	}},
	{"PROVIDER_FORGED", 1.6, "from a free mail provider, and no server of it was on the way", func(f *features) bool {
		return f.relay.known && f.header.fromFree && isKnownProvider(f.header.fromDomain) && !f.header.provider && !f.header.talk &&
			!namesProvider(f.header.fromDomain, f.relay.name)
	}},
	{"HELO_FREE", 1.8, "the client calls itself a free mail provider and is none", func(f *features) bool {
		return f.relay.known && f.relay.asked && isFreeMail(f.relay.helo) && organization(f.relay.name) != organization(f.relay.helo) &&
			!strings.HasSuffix(f.relay.helo, ".protection.outlook.com")
	}},
	{"RELAY_OF_NEWSLETTERS", -1.0, "the client is of a mailing provider that looks after whom it sends for", func(f *features) bool {
		return f.relay.known && known(f.relay.name)&mailing != 0
	}},
	{"HELO_UNNAMED", 1.6, "the client is a rented server that nobody gave a name", func(f *features) bool { return f.relay.known && isUnnamed(f.relay.helo) }},
}

var structureRules = []rule{
	{"HTML_ONLY", 0.2, "HTML without a plain text", func(f *features) bool { return f.structure.html > 0 && f.structure.plain == 0 }},
	{"HTML_UNSIGNED", 0.5, "HTML without a plain text, unsigned, and it belongs to no conversation", func(f *features) bool {
		return f.structure.html > 0 && f.structure.plain == 0 && !f.header.signedBy && !f.header.leave && f.apart()
	}},
	{"IMAGE_ONLY", 1.8, "an image with hardly any text", func(f *features) bool {
		return f.text.Letters < 150 && (f.structure.images > 0 || f.links.remote > 0) && f.links.anchors > 0 && !f.header.isReply
	}},
	{"IMAGE_MOSTLY", 0.8, "images with little text", func(f *features) bool {
		return f.text.Letters >= 150 && f.text.Letters < 450 && (f.structure.images > 0 || f.links.remote-f.text.html.Pixels > 0) && f.links.anchors > 0 && !f.header.isReply
	}},
	{"ALTERNATIVES_DIFFER", 0.6, "plain text and HTML say different things", func(f *features) bool { return f.text.compared && f.text.alike < 0.3 }},
	{"TEXT_IN_BASE64", 0.8, "a plain text is encoded without need", func(f *features) bool { return f.text.base64 }},
	{"CHARSET_WITHOUT_NEED", 1.0, "names a charset of another script than its text", func(f *features) bool { return f.foreignCharset() }},
	{"STRUCTURE_BROKEN", 0.7, "its structure is not what it says", func(f *features) bool { return f.structure.broken }},
	{"PROGRAM", 4.8, "a program is attached", func(f *features) bool { return f.attached(isProgram) && !f.header.talk && !f.header.isReply }},
	{"PROGRAM_PASSED_ON", 1.8, "a program is attached to an answer or a letter to a list", func(f *features) bool {
		return f.attached(isProgram) && (f.header.talk || f.header.isReply)
	}},
	{"DOUBLE_EXTENSION", 3.0, "an attachment's name hides what it is", func(f *features) bool { return f.attached(isDoubleExtension) }},
	{"PAGE_ATTACHED", 1.9, "an HTML page is attached", func(f *features) bool { return f.attached(isPage) && !f.header.talk }},
	{"MACRO_ATTACHED", 1.8, "a document with macros is attached", func(f *features) bool { return f.attached(isMacro) }},
	{"ARCHIVE_ODD", 2.2, "an archive of a kind that is chosen to pass filters", func(f *features) bool { return f.attached(isOddArchive) }},
	{"TYPE_LIES", 2.4, "an attachment's name and type contradict", func(f *features) bool { return f.attached(isLie) }},
	{"SIGNED", -0.6, "signed with S/MIME or OpenPGP", func(f *features) bool { return f.structure.signed }},
}

var textRules = []rule{
	{"GTUBE", 1000, "the test text for filters of unsolicited mail", func(f *features) bool { return f.text.gtube }},
	{"WORDS_DISGUISED", 3.0, "words in disguise", func(f *features) bool { return f.text.Disguised >= 3 }},
	{"WORDS_BROKEN", 2.4, "words are broken by markup", func(f *features) bool { return f.text.html.BrokenWords >= 5 }},
	{"LETTERS_CODED", 1.8, "plain letters are written as codes", func(f *features) bool { return f.text.html.CodedLetters >= 30 }},
	{"ZERO_WIDTH", 1.4, "characters without width all over the text", func(f *features) bool {
		return f.text.html.ZeroWidth >= 12 && f.text.html.ZeroWidth*20 > f.text.Letters && f.text.hidden < 20
	}},
	{"GREETS_ADDRESS", 0.7, "calls the reader by a mail address", func(f *features) bool { return f.text.greeted && !f.header.list && f.apart() }},
	{"WORDS_SPACED", 0.6, "words are spelt with spaces", func(f *features) bool { return f.text.spaced > 0 }},
	{"HIDDEN_TEXT", 1.4, "much text is hidden", func(f *features) bool { return f.text.hidden > 400 && f.text.hidden > f.text.visible }},
	{"TEXT_CAPS", 1.1, "the text is in capitals", func(f *features) bool { return f.text.Latin > 200 && f.text.Upper*10 > f.text.Latin*6 }},
	{"TEXT_EXCLAIMS", 0.7, "the text exclaims", func(f *features) bool { return f.text.Exclaims >= 8 && f.text.Exclaims*40 > f.text.Words }},
	{"MONEY_SIGNS", 0.2, "many money signs", func(f *features) bool { return f.text.Currency >= 5 && f.text.Currency*60 > f.text.Words }},
	{"FORM", 0.1, "a form to be filled in", func(f *features) bool { return f.text.html.Forms > 0 && f.text.html.Inputs > 0 }},
	{"PASSWORD_FORM", 3.0, "a form that asks for a password", func(f *features) bool { return f.text.html.Passwords > 0 }},
	{"SCRIPTS", 0.4, "scripts in the text", func(f *features) bool { return f.text.html.Scripts > 0 || f.text.html.Handlers > 2 }},
	{"FRAMES", 0.1, "frames in the text", func(f *features) bool { return f.text.html.Frames > 0 }},
	{"TAGS_INVALID", 1.4, "many tags that HTML does not know", func(f *features) bool {
		return f.text.html.InvalidTags >= 5 && f.text.html.InvalidTags*10 > f.text.html.Tags
	}},
	{"WARNS", -1.8, "warns of frauds", func(f *features) bool {
		return f.phrases.Weight(lexicon.Warning) > telling && !f.shadyLinks() && !f.linksForeign() && !f.header.brandForged && !f.header.brandNear &&
			!f.attached(isRisky)
	}},
	{"PATCH", -1.8, "shows differences between files", func(f *features) bool { return f.text.patch > 0 }},
}

var linkRules = []rule{
	{"LINK_NUMERIC", 2.2, "a link to an address in numbers", func(f *features) bool { return f.numericLinks() }},
	{"LINK_PORT", 0.8, "a link to an unusual port", func(f *features) bool { return f.links.ports > 0 && f.links.ports*3 >= f.links.anchors && f.apart() }},
	{"LINK_DISGUISED", 2.6, "a link in disguise", func(f *features) bool { return f.links.tricks.Has(linkDisguises) }},
	{"LINK_SCHEME", 2.4, "a link that is a script", func(f *features) bool { return f.links.scheme }},
	{"LINK_SHORTENER", 1.1, "a link whose end is not told", func(f *features) bool { return f.links.short > 0 && !f.header.isReply }},
	{"LINK_FREE_HOST", 1.0, "a link to where anybody puts pages", func(f *features) bool { return f.links.free > 0 && f.links.free*2 >= f.links.anchors }},
	{"LINK_DOUBTFUL_TLD", 0.6, "a link to a domain of a kind that is often thrown away", func(f *features) bool {
		return f.links.doubted > 0 && f.links.doubted*2 >= f.links.anchors && !f.header.talk && !f.header.isReply
	}},
	{"LINK_ABROAD", 1.0, "a link to a country whose names were used up by the million, from a text in another script", func(f *features) bool {
		return f.links.abroad > 0 && f.links.abroad*2 >= f.links.anchors && f.text.Latin*20 > f.text.Letters*19 && topLevel(f.header.fromDomain) != "ru" &&
			topLevel(f.header.fromDomain) != "cn" && !f.header.talk && !f.header.isReply
	}},
	{"LINK_FEIGNED", 2.4, "a link to a name that begins as a company's and is somebody else's", func(f *features) bool { return f.links.feigned > 0 && !f.header.talk }},
	{"LINK_NEAR", 1.0, "a link to a name that is made to look like a company's", func(f *features) bool {
		return f.links.near > 0 && f.links.near*2 >= f.links.anchors && !f.header.talk
	}},
	{"LINK_TO_MANY", 1.8, "nothing but a link, to several people", func(f *features) bool { return f.bareLink() && f.header.recipients >= 3 }},
	{"LINK_CHEAP_TLD", 1.4, "a link to a domain that is nearly given away", func(f *features) bool { return f.links.cheap > 0 && f.links.cheap*2 >= f.links.anchors }},
	{"LINK_LIES", 0.5, "a link shows another address than it leads to", func(f *features) bool { return f.links.lies > 0 }},
	{"LINK_HOP", 1.0, "a link that a well-known site leads on", func(f *features) bool { return f.links.hops > 0 && !f.header.isReply && !f.header.talk }},
	{"LINK_AIMED", 2.2, "a link that carries the recipient's address for a page to use", func(f *features) bool { return f.links.aimed }},
	{"LINK_INNARDS", 1.6, "a link into a folder of a site's software, where pages are of those who broke in", func(f *features) bool {
		return f.links.innards > 0 && !f.header.isReply && !f.header.talk
	}},
	{"LINK_LABELS", 0.6, "a link to a name of many parts", func(f *features) bool { return f.links.labels >= 6 }},
	{"LINKS_AGREE", -0.6, "links lead to the author's organization", func(f *features) bool { return f.linksAgree() && !f.header.brandForged && !f.fromCheap() }},
	{"LINKS_AGREE_SIGNED", -0.8, "links lead to the organization that signed", func(f *features) bool {
		return f.linksAgree() && f.header.signedBy && !f.header.brandForged && !f.header.brandNear && !f.fromThrownAway()
	}},
	{"LINKS_FOREIGN", 0.6, "no link leads to the author's organization", func(f *features) bool {
		return f.linksForeign() && !f.header.isReply && !f.header.list
	}},
	{"LINK_FROM_FREE", 0.9, "little text and a link, from a free mailbox", func(f *features) bool { return f.shortWithLink() && f.header.fromFree }},
	{"LINK_RANDOM", 0.9, "a link to a name that looks random", func(f *features) bool { return f.links.random > 0 && f.links.random*2 >= f.links.anchors }},
	{"LINK_ALONE", 0.4, "little text and a link", func(f *features) bool { return f.shortWithLink() }},
}

// phrasePoints are what different phrases of a kind are worth: points for two, three, four and six telling ones.
type phrasePoints struct {
	name             string
	kind             lexicon.Kind
	two, three, four float64
	six              float64
}

var phraseTable = []phrasePoints{
	{"FRAUD", lexicon.Fraud, 0.6, 1.6, 2.6, 4.2},
	{"PHISH", lexicon.Phish, 0.6, 1.2, 1.9, 2.6},
	{"MAILBOX", lexicon.Mailbox, 1.2, 2.2, 3.0, 3.6},
	{"EXTORT", lexicon.Extort, 1.0, 2.4, 3.8, 4.8},
	{"PHARMA", lexicon.Pharma, 1.4, 2.6, 3.6, 4.2},
	{"HEALTH", lexicon.Health, 1.0, 1.7, 2.4, 3.0},
	{"ADULT", lexicon.Adult, 1.4, 2.4, 3.4, 4.2},
	{"DATING", lexicon.Dating, 1.2, 2.2, 3.1, 3.8},
	{"LOAN", lexicon.Loan, 1.0, 1.8, 2.4, 3.2},
	{"RICHES", lexicon.Money, 1.0, 1.8, 2.6, 3.6},
	{"STOCK", lexicon.Stock, 0.7, 1.4, 2.2, 3.0},
	{"PRIZE", lexicon.Prize, 1.0, 1.8, 2.4, 3.0},
	{"SEO", lexicon.SEO, 0.6, 1.2, 2.0, 2.8},
	{"CASINO", lexicon.Casino, 1.2, 2.4, 3.4, 3.8},
	{"REPLICA", lexicon.Replica, 1.0, 1.9, 2.6, 3.4},
	{"SOFTWARE", lexicon.Software, 1.0, 1.9, 2.6, 3.4},
	{"CRYPTO", lexicon.Crypto, 0.7, 1.4, 2.2, 2.9},
	{"RENEWAL", lexicon.Renewal, 0.5, 1.1, 1.8, 2.6},
	{"PARCEL", lexicon.Parcel, 0.5, 1.1, 1.7, 2.2},
	{"LURE", lexicon.Lure, 0.4, 0.8, 1.2, 1.6},
	{"BULK", lexicon.Bulk, 0.4, 0.7, 1.2, 1.8},
	{"URGENT", lexicon.Urgent, 0.2, 0.5, 0.8, 1.4},
	{"GREETING", lexicon.Greeting, 0.7, 0.7, 0.7, 0.7},
	{"ABROAD", lexicon.Abroad, 1.4, 2.4, 3.2, 3.8},
	{"ERRAND", lexicon.Errand, 1.2, 2.0, 2.8, 3.6},
}

// telling is the weight of phrases that counts as one; dense is how many words a text may have for all of that to count:
// whoever writes a book meets every phrase there is.
const telling, dense = 8, 500

// told is how many telling phrases of the kinds the message has.
func (f *features) told(kinds ...lexicon.Kind) int {
	weight := 0
	for _, k := range kinds {
		weight += f.phrases.Weight(k)
	}
	if n := f.text.longest; n > dense {
		weight = max(weight*dense/n, weight/4)
	}
	if f.header.talk && kinds[0] < lexicon.Health {
		weight = weight * 2 / 3 // people talk about frauds and filters
	}
	return weight / telling
}

// phraseRules are made of the table: for each kind, the highest step that is reached.
var phraseRules = func() (rules []rule) {
	for _, p := range phraseTable {
		steps := []struct {
			suffix string
			least  int
			points float64
		}{{"_2", 2, p.two}, {"_3", 3, p.three}, {"_4", 4, p.four}, {"_6", 6, p.six}}
		if p.kind == lexicon.Greeting {
			steps = steps[:1]
			steps[0].least, steps[0].suffix = 1, ""
		}
		for i, step := range steps {
			next := 1 << 30
			if i+1 < len(steps) {
				next = steps[i+1].least
			}
			rules = append(rules, rule{p.name + step.suffix, step.points, "phrases about " + p.kind.String(), func(f *features) bool {
				n := f.told(p.kind)
				return n >= step.least && n < next
			}})
		}
	}
	return rules
}()

// jointRules are about findings that say more together.
var jointRules = []rule{
	{"BRAND_FORGED", 3.0, "the author's name is a well-known one and the address is not its", func(f *features) bool { return f.header.brandForged }},
	{"BRAND_NEAR", 1.4, "the author's name is a well-known one and the address is made to look like its", func(f *features) bool { return f.header.brandNear }},
	{"EXTORT_BITCOIN", 3.0, "threats and a Bitcoin address", func(f *features) bool { return f.text.bitcoin && f.told(lexicon.Extort) >= 2 }},
	{"BITCOIN", 0.7, "a Bitcoin address", func(f *features) bool { return f.text.bitcoin }},
	{"FRAUD_FREE", 1.8, "fraud phrases and a free mailbox", func(f *features) bool {
		return f.told(lexicon.Fraud) >= 3 && (f.header.fromFree || f.header.replyFree) && !f.header.isReply && !f.text.passedOn
	}},
	{"FRAUD_MILLIONS", 1.4, "fraud phrases and millions", func(f *features) bool { return f.told(lexicon.Fraud) >= 2 && f.text.millions }},
	{"ERRAND_FREE", 2.0, "an errand from a free mailbox, or with answers to one", func(f *features) bool {
		return f.told(lexicon.Errand) >= 2 && (f.header.fromFree || f.header.replyOther && f.header.replyFree) && !f.header.isReply && !f.header.talk
	}},
	{"ERRAND_FALSE", 1.6, "an errand that says to be an answer and is none", func(f *features) bool {
		return f.told(lexicon.Errand) >= 2 && f.header.saysReply && f.apart()
	}},
	{"OFFER_COLD", 1.0, "an offer to one's business that nobody asked for", func(f *features) bool {
		return f.told(lexicon.SEO) >= 4 && f.apart() && !f.header.leave && f.header.recipients <= 1
	}},
	{"SALES_PAGE", 1.4, "a sale by a page with one thing to click, unsigned", func(f *features) bool {
		return f.told(salesKinds...) >= 4 && f.structure.plain == 0 && f.links.anchors > 0 && f.links.anchors <= 3 && f.text.Letters < 1500 &&
			!f.header.signedBy && !f.header.leave && f.apart()
	}},
	{"OFFER_FREE", 1.4, "an offer to one's business from a free mailbox", func(f *features) bool {
		return f.told(lexicon.SEO) >= 3 && (f.header.fromFree || f.header.replyFree) && f.apart()
	}},
	{"PHISH_HOST", 2.2, "account phrases and a link to where phishers put their pages", func(f *features) bool {
		return f.told(accountKinds...) >= 2 && f.shadyLinks()
	}},
	{"PHISH_AWAY", 0.9, "account phrases and links to somebody else", func(f *features) bool {
		return f.told(accountKinds...) >= 2 && f.linksForeign() && f.apart()
	}},
	{"PHISH_CHEAP", 1.8, "account phrases from a domain that is thrown away after use", func(f *features) bool {
		return f.told(accountKinds...) >= 1 && f.fromCheap() || f.told(accountKinds...) >= 3 && f.fromThrownAway()
	}},
	{"PHISH_BRAND", 1.8, "account phrases in a forged name", func(f *features) bool {
		return f.told(lexicon.Phish, lexicon.Mailbox, lexicon.Renewal, lexicon.Parcel, lexicon.Prize) >= 1 && (f.header.brandForged || f.header.brandNear)
	}},
	{"MADE_TO_PHISH", 1.6, "something went wrong with an account, something is to be done about it, and nobody signs for that", func(f *features) bool {
		return f.madeToPhish() && !f.header.signedBy
	}},
	{"MADE_AWAY", 0.8, "and the link leads to somebody else", func(f *features) bool { return f.madeToPhish() && f.linksForeign() }},
	{"MADE_HURRY", 0.6, "and soon", func(f *features) bool {
		return f.madeToPhish() && f.phrases.Weight(lexicon.Hurry) >= telling && !(f.header.signedBy && f.linksAgree())
	}},
	{"MADE_BRAND", 1.4, "and it speaks of a company that it neither comes from nor leads to", func(f *features) bool {
		return f.madeToPhish() && f.speaksOfOthers()
	}},
	{"BRAND_HOST", 1.4, "speaks of a company and leads to where anybody puts pages, unsigned", func(f *features) bool {
		return f.shadyLinks() && f.apart() && !f.header.signedBy && f.speaksOfOthers()
	}},
	{"BRAND_UNSIGNED", 1.6, "from a well-known company, and neither signed nor sent by it", func(f *features) bool { return f.brandUnsigned() }},
	{"MADE_CHEAP", 1.4, "and it comes from a domain that is thrown away after use", func(f *features) bool { return f.madeToPhish() && f.fromThrownAway() }},
	{"BRAND_LURE", 1.8, "a forged name, and links to somebody else than its owner", func(f *features) bool {
		return f.header.brandForged && f.links.anchors > 0 && !f.leadsTo(f.header.brand) && !f.header.leave && f.apart()
	}},
	{"PHISH_GREETS", 1.4, "account phrases to a mail address", func(f *features) bool {
		return (f.told(lexicon.Phish, lexicon.Mailbox, lexicon.Parcel) >= 2 && !f.linksAgree() || f.madeToPhish() && !f.header.signedBy) &&
			(f.text.greeted || f.header.subjectNames || f.nameOfReader()) && f.apart()
	}},
	{"PHISH_PAGE", 1.6, "account phrases and a page attached", func(f *features) bool {
		return f.told(lexicon.Phish, lexicon.Mailbox, lexicon.Lure) >= 1 && f.attached(isPage) && f.apart()
	}},
	{"PHISH_PICTURE", 1.8, "a picture to be scanned with a telephone, for an account", func(f *features) bool {
		p := &f.phrases
		return p.Weight(lexicon.Scan) >= telling && p.Weight(lexicon.Asset) >= telling && f.structure.images+f.text.html.Images > 0 && f.links.anchors <= 1 &&
			f.text.Letters < 1500 && f.apart() && !f.header.signedBy
	}},
	{"SALES_CHEAP", 1.4, "a sale from a domain that is thrown away after use", func(f *features) bool {
		return f.told(salesKinds...) >= 2 && f.fromCheap() || f.told(salesKinds...) >= 4 && f.fromThrownAway()
	}},
	{"RENEWAL_PHONE", 2.4, "a bill that is to be cancelled by telephone", func(f *features) bool {
		return f.text.phones > 0 && f.apart() && (f.told(lexicon.Renewal) >= 3 && f.links.anchors == 0 ||
			f.told(lexicon.Renewal) >= 2 && f.header.fromFree && f.text.Currency > 0)
	}},
	{"LURE_ATTACHED", 1.4, "told to open what is attached, which is of a risky kind", func(f *features) bool {
		return f.told(lexicon.Lure, lexicon.Parcel) >= 2 && f.attached(isRisky) && f.apart()
	}},
}

// accountKinds are about accounts of the reader's, salesKinds about goods.
var (
	accountKinds = []lexicon.Kind{lexicon.Phish, lexicon.Mailbox, lexicon.Parcel}
	salesKinds   = []lexicon.Kind{lexicon.Health, lexicon.Pharma, lexicon.Loan, lexicon.Money, lexicon.Prize, lexicon.Crypto, lexicon.Adult, lexicon.Dating,
		lexicon.Casino, lexicon.Replica, lexicon.Bulk}
)

// apart: the message belongs to no conversation, and is no notice about one.
func (f *features) apart() bool {
	return !f.header.isReply && !f.header.talk && !f.structure.report && !isMachine(f.header.fromLocal)
}
