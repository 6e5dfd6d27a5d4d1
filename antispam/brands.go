package antispam

import (
	"strings"

	"postern/antispam/words"
)

// brandForged: the author's name begins with, or is, that of a well-known company, and neither the address nor the one that
// answers go to belongs to it.
func (f *features) brandForged() bool {
	h := &f.header
	if h.fromName == "" || h.fromDomain == "" || h.list {
		return false
	}
	name := foldName(h.fromName)
	for i := range brands {
		b := &brands[i]
		if !named(name, b.name) {
			continue
		}
		for _, part := range b.parts {
			if strings.Contains(h.fromDomain, part) {
				return false
			}
		}
		return true
	}
	return false
}

// named: the name is the brand's, or begins with it and says some more that companies say.
func named(name, brand string) bool {
	rest, ok := strings.CutPrefix(name, brand)
	if !ok {
		return false
	}
	if rest == "" {
		return true
	}
	if rest[0] != ' ' {
		return false
	}
	for word := range strings.FieldsSeq(rest) {
		if brandWords[word] {
			return true
		}
	}
	return false
}

// brandWords are what companies put behind their names, and people do not.
var brandWords = setOf("support security team service services customer care account accounts billing alert alerts notification notifications " +
	"online bank banking help helpdesk center centre inc com reward rewards gift giftcard express delivery mail office wallet id verification verify " +
	"member membership prime business ads admin administrator noreply info update updates department dept corporation ltd llc group shipping " +
	"shipment package parcel survey shopper promo promotions winner subscription subscriptions payment payments invoice invoices refund notice storage cloud drive")

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
