package antispam

import (
	"strings"

	"postern/antispam/bayes"
	"postern/antispam/words"
	"postern/internal/message"
)

// structureFacts are about the MIME structure.
type structureFacts struct {
	plain, html int // text parts
	images      int
	attachments []attachment
	charset     string // of the first text
	alternative bool   // plain text and HTML stand for each other
	broken      bool   // it is not what it says: a multipart without parts, an encoding that does not exist
	signed      bool   // S/MIME or OpenPGP, as far as the types say
	calendar    bool
	report      bool // multipart/report
}

// attachment is a part that a reader opens.
type attachment struct {
	name string // lower case
	ext  string // with its dot
	typ  string
	size int64 // in transit
}

// maxAttachments bounds the attachments that are looked at.
const maxAttachments = 100

var (
	traitType = bayes.Of("trait:type")
	traitExt  = bayes.Of("trait:extension")
	traitSet  = bayes.Of("trait:charset")
)

func (f *features) readStructure(m *Mail) {
	s := &f.structure
	for p := range m.Parsed.Root.All() {
		typ := p.Type + "/" + p.Subtype
		f.traits.Add(bayes.Within(traitType, words.Hash(typ)))
		switch {
		case p.Type == "multipart":
			s.broken = s.broken || p.Opaque && p.Subtype != "encrypted"
			s.alternative = s.alternative || p.Subtype == "alternative"
			s.signed = s.signed || p.Subtype == "signed" || p.Subtype == "encrypted"
			s.report = s.report || p.Subtype == "report"
			continue
		case !p.KnownEncoding():
			s.broken = true
		}
		f.readLeaf(p, typ)
	}
}

func (f *features) readLeaf(p *message.Part, typ string) {
	s := &f.structure
	name := strings.TrimRight(strings.ToLower(clip(p.Filename(), 500)), " .") // Windows drops what a name ends in
	switch {
	case isShownText(p, name):
		if s.charset == "" {
			s.charset = strings.ToLower(clip(p.Param("charset"), 40))
			f.traits.Add(bayes.Within(traitSet, words.Hash(s.charset)))
		}
		if p.Subtype == "html" {
			s.html++
		} else {
			s.plain++
		}
		return
	case p.Type == "image":
		s.images++
	case typ == "text/calendar":
		s.calendar = true
	case typ == "application/pgp-signature" || strings.HasSuffix(typ, "pkcs7-signature"):
		s.signed = true
		return
	}
	if (p.Type != "image" || p.Disposition == "attachment") && len(s.attachments) < maxAttachments && p.Embedded == nil {
		ext := ""
		if i := strings.LastIndexByte(name, '.'); i >= 0 {
			ext = name[i:]
		}
		f.traits.Add(bayes.Within(traitExt, words.Hash(ext)))
		s.attachments = append(s.attachments, attachment{name: name, ext: ext, typ: typ, size: p.End - p.BodyStart})
	}
}

// isShownText: mail programs show text parts as the message unless they are attachments with a name.
func isShownText(p *message.Part, name string) bool {
	if p.Type != "text" || p.Opaque || p.Disposition == "attachment" || !p.KnownEncoding() {
		return false
	}
	switch p.Subtype {
	case "plain", "html", "enriched", "":
		return name == "" || p.Disposition != "attachment"
	}
	return false
}
