package antispam

import (
	_ "embed"
	"strings"
	"unicode/utf8"

	"postern/antispam/words"
)

//go:embed brands.tsv
var brandList string

// brand is a name that forgers write in front of their own address.
type brand struct {
	name string // as package words folds it
	// parts are what the domains of the real ones contain; none for names that belong to nobody.
	parts []string
	// more: the name is a common word or a person's, and counts only with words of a company behind it.
	more bool
}

// brands are the names by their first word.
var brands = func() map[string][]brand {
	list := map[string][]brand{}
	for line := range strings.Lines(brandList) {
		name, parts, ok := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		if !ok {
			continue
		}
		name, more := strings.CutSuffix(name, " +")
		name = foldName(name)
		first, _, _ := strings.Cut(name, " ")
		list[first] = append(list[first], brand{name, strings.Fields(parts), more})
	}
	return list
}()

// spoken are brands of one word that is no other word, by its hash: those that a text can be said to speak of.
var spoken = func() (list words.Table[*brand]) {
	for _, group := range brands {
		for i := range group {
			if b := &group[i]; !b.more && len(b.parts) > 0 && !strings.Contains(b.name, " ") && !common[b.name] {
				list.Put(words.Hash(b.name), b)
			}
		}
	}
	return list
}()

// common are brands that texts speak of without meaning an account there, or that are words.
var common = setOf("google gmail apple meta facebook instagram twitter tiktok telegram linkedin visa yahoo zoom wise adobe starbucks walmart costco disney ebay temu intuit " +
	"stripe blockchain medicare wordpress ups okx ubs cvs att chase shein meta alibaba jcb etc sephora makita dewalt lidl rewe dpd evri steam")

// speaksOf notes that a text names a brand.
func (t *textFacts) speaksOf(hash uint64) {
	b, ok := spoken.Get(hash)
	if !ok || t.branded == len(t.brands) {
		return
	}
	for _, was := range t.brands[:t.branded] {
		if was == b {
			return
		}
	}
	t.brands[t.branded] = b
	t.branded++
}

// brandOf is the brand that an author's name claims; nil for none.
func brandOf(name string) *brand {
	name = foldName(name)
	first, _, _ := strings.Cut(name, " ")
	list := brands[first]
	for i := range list {
		if list[i].named(name) {
			return &list[i]
		}
	}
	return nil
}

// named: the name is the brand's, or begins with it and says some more that companies say.
func (b *brand) named(name string) bool {
	rest, ok := strings.CutPrefix(name, b.name)
	switch {
	case !ok:
		return false
	case rest == "":
		return !b.more
	case rest[0] != ' ':
		return false
	}
	if rest[1] >= utf8.RuneSelf {
		return !b.more // scripts without spaces
	}
	for word := range strings.FieldsSeq(rest) {
		if brandWords[word] {
			return true
		}
	}
	return false
}

// owns: the domain is one that belongs to the brand, or at least looks so. Short names stand in many words; they must
// begin a label.
func (b *brand) owns(domain string) bool {
	for _, part := range b.parts {
		i := strings.Index(domain, part)
		if i < 0 || len(part) < 5 && i > 0 && domain[i-1] != '.' && domain[i-1] != '-' {
			continue
		}
		return true
	}
	return false
}

// is: the label that the domain is registered by is the brand's name, and not one made to look like it.
func (b *brand) is(org string) bool {
	label, _, _ := strings.Cut(org, ".")
	for _, part := range b.parts {
		if label == part || strings.Contains(part, ".") && strings.HasSuffix(org, part) {
			return true
		}
	}
	return false
}

// readBrand looks whether the author's name is that of a well-known company. The answers to mail are nobody's but their
// writer's, and people on lists write under the list's address.
func (h *headerFacts) readBrand() {
	if h.fromName == "" || h.fromDomain == "" || h.talk {
		return
	}
	b := brandOf(h.fromName)
	h.brand = b
	switch {
	case b == nil, len(b.parts) == 0 && (h.fromOrg == h.toOrg || isMachine(h.fromLocal)):
		// The reader's own administrator, or a mail server.
	case !b.owns(h.fromDomain):
		h.brandForged = true
	case !b.is(h.fromOrg):
		label, top, _ := strings.Cut(h.fromOrg, ".")
		h.brandNear = strings.Contains(label, "-") || cheapTLDs[top] || doubtfulTLDs[top] || known(h.fromDomain)&(freeHost|freeMail|tenant) != 0
	default:
		h.brandGenuine = true
	}
}

// isMachine: the names under which mail servers write.
func isMachine(local string) bool {
	return local == "postmaster" || strings.HasPrefix(local, "mailer-daemon") || strings.HasPrefix(local, "microsoftexchange")
}

// brandWords are what companies put behind their names, and people do not.
var brandWords = setOf("support security team service services customer care account accounts billing alert alerts notification notifications " +
	"online bank banking help helpdesk center centre inc com reward rewards gift giftcard express delivery mail office wallet id verification verify " +
	"member membership prime business ads admin administrator noreply info update updates department dept corporation ltd llc group shipping " +
	"shipment package parcel survey shopper promo promotions winner subscription subscriptions payment payments invoice invoices refund notice storage cloud drive " +
	"protection renewal confirmation confirmations transaction transactions voicemail signature electronic document documents official giveaway gewinnspiel gutschein " +
	"kundenservice kundendienst kundensupport kundenbetreuung sicherheit benachrichtigung paket versand zustellung konto " +
	"client clients livraison remboursement securite compte espace " +
	"atencion cliente clientes seguridad soporte paqueteria espana avisos cuenta " +
	"servizio clienti sicurezza assistenza avviso " +
	"atendimento seguranca suporte conta brasil portugal " +
	"klantenservice bezorging beveiliging nederland " +
	"obsluga klienta powiadomienia polska bezpieczenstwo " +
	"de fr it es nl pl ca jp co au gmbh ag deutschland france italia uk usa international europe banca banco banque raiffeisenbank raiffeisenbanken internet " +
	"служба поддержка безопасность")

// foldName is a name as package words reads it, with single spaces.
func foldName(name string) string {
	var b strings.Builder
	words.Split([]byte(clip(name, 200)), new(words.Stats), func(w *words.Word) bool {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.Write(w.Text)
		return true
	})
	return b.String()
}
