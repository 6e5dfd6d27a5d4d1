package htmltext

import (
	"bytes"

	"postern/internal/message/weburl"
)

// start does what a start tag asks for.
func (s *scanner) start(t tag) {
	if t.isBlock() {
		s.newLine('\n')
	} else if t == tagCell {
		s.newLine(' ')
	}
	s.closeImplied(t)
	if s.has == 0 && t.in(1<<tagBreak|1<<tagVoid) {
		return
	}
	s.readOwnStyle(t)
	if t.isVoid() {
		s.void.inherit(s.stack.style(), &s.own)
		s.effect(t, &s.void)
		return
	}
	s.stack.push(t, s.kind.hash, &s.own)
	s.d.Depth = max(s.d.Depth, len(s.stack.open)-1)
	s.d.TableDepth = max(s.d.TableDepth, s.stack.tables)
	s.effect(t, s.stack.style())
	s.direct()
}

// end does what an end tag asks for.
func (s *scanner) end(t tag) {
	switch {
	case t.isBlock():
		s.newLine('\n')
	case t == tagCell:
		s.newLine(' ')
	case t == tagAnchor:
		s.closeAnchor()
	case t == tagUnknown:
		s.breaksWord()
	}
	if s.stack.beyond > 0 && !t.isVoid() {
		s.stack.beyond--
		s.direct()
		return
	}
	at, steps := s.stack.find(t, s.kind.hash)
	s.steps += int64(steps)
	if at > 0 {
		s.steps += int64(len(s.stack.open) - at)
		s.stack.closeAt(at)
	}
	s.direct()
}

// closeImplied ends what a start tag ends without an end tag: <p> ends <p>, <li> ends <li>.
func (s *scanner) closeImplied(t tag) {
	if !t.in(closing) {
		return
	}
	ended, passed := tagSet(1<<t), tagSet(passing)
	switch t {
	case tagPara, tagBlock, tagForm:
		ended = 1 << tagPara
	case tagRow:
		ended = 1<<tagRow | 1<<tagCell
	case tagCell:
		passed = ^tagSet(1<<tagRow | 1<<tagTable)
	case tagItem:
		passed |= 1 << tagPara
	}
	for i := len(s.stack.open) - 1; i > max(0, len(s.stack.open)-maxSearch); i-- {
		s.steps++
		switch other := s.stack.open[i].tag; {
		case other.in(ended):
			s.stack.closeAt(i)
			if t != tagRow || other == tagRow {
				return
			}
		case !other.in(passed):
			return // no p, item or row goes through another block
		}
	}
}

// Elements that end others, and those that others end through.
const (
	closing = 1<<tagPara | 1<<tagBlock | 1<<tagForm | 1<<tagCell | 1<<tagItem | 1<<tagOption | 1<<tagRow
	passing = formats | 1<<tagInline | 1<<tagUnknown | 1<<tagForeign
)

// newLine puts what follows on another line, or behind a space.
func (s *scanner) newLine(c byte) {
	if s.out != nil {
		s.out.space(c)
	}
	s.visible.space(c)
	s.broken = false
}

// direct sends text to where the innermost element wants it.
func (s *scanner) direct() {
	out := &s.visible
	if ways := s.stack.hidden(); ways != 0 {
		s.d.Ways |= ways
		out = &s.hidden
	}
	if out == s.out {
		return
	}
	if out == &s.hidden {
		s.hidden.space(' ')
		s.d.HiddenRuns++
	}
	s.out = out
}

// effect is what an element does beside showing its content.
func (s *scanner) effect(t tag, look *style) {
	if s.has.has(attrBackground) && len(s.attr(attrBackground)) > 0 {
		s.link(Image, attrBackground, look)
	}
	switch t {
	case tagAnchor:
		s.closeAnchor()
		if s.has.has(attrHref) {
			s.anchor = s.link(Anchor, attrHref, look)
		}
	case tagArea:
		s.link(Anchor, attrHref, look)
	case tagImage:
		s.image(look)
	case tagInput:
		s.input(look)
	case tagTextarea:
		s.d.Inputs++
	case tagForm:
		s.d.Forms++
		s.link(Form, attrAction, look)
	case tagButton:
		s.link(Form, attrFormAction, look)
	case tagFrame, tagIframe:
		s.d.Frames++
		s.link(Frame, attrSrc, look)
	case tagObject:
		s.d.Frames++
		s.link(Frame, attrData, look)
	case tagScript:
		s.d.Scripts++
		s.link(Script, attrSrc, look)
	case tagBase:
		s.link(Base, attrHref, look)
	case tagLink:
		if bytes.Contains(s.attr(attrRel), []byte("style")) {
			s.link(Sheet, attrHref, look)
		}
	case tagMeta:
		s.refresh(look)
	}
}

func (s *scanner) image(look *style) {
	s.d.Images++
	i := s.link(Image, attrSrc, look)
	width, height := s.size(attrWidth, int(look.width)), s.size(attrHeight, int(look.height))
	if i < 0 {
		return
	}
	l := &s.d.Links[i]
	l.Width, l.Height = width, height
	l.text = s.keep(s.attr(attrAlt))
	if l.Pixel() {
		s.d.Pixels++
	}
}

// size is an image's width or height in pixels: what its style says, or else its attribute, or -1.
func (s *scanner) size(a attribute, styled int) int {
	if styled >= 0 || !s.has.has(a) {
		return styled
	}
	if v, unit, ok := length(s.attr(a)); ok && unit != unitRelative {
		return int(v)
	}
	return -1
}

func (s *scanner) input(look *style) {
	s.link(Form, attrFormAction, look)
	switch kind := s.attr(attrType); {
	case bytes.EqualFold(kind, []byte("hidden")):
		return
	case bytes.EqualFold(kind, []byte("password")):
		s.d.Passwords++
	case bytes.EqualFold(kind, []byte("image")):
		s.link(Image, attrSrc, look)
	}
	s.d.Inputs++
}

// refresh reads <meta http-equiv=refresh content="0; url=...">.
func (s *scanner) refresh(look *style) {
	if !bytes.EqualFold(s.attr(attrEquiv), []byte("refresh")) {
		return
	}
	_, url, ok := bytes.Cut(s.attr(attrContent), []byte("="))
	if !ok {
		return
	}
	s.addLink(Refresh, bytes.Trim(url, " \t\r\n\f'\""), look)
}

// link adds the address in an attribute, if there is one, and gives its place in d.Links, or -1.
func (s *scanner) link(kind LinkKind, a attribute, look *style) int {
	url := weburl.TrimBlank(s.attr(a))
	if len(url) == 0 {
		return -1
	}
	return s.addLink(kind, url, look)
}

func (s *scanner) addLink(kind LinkKind, url []byte, look *style) int {
	s.d.Counts.Links++
	if kind == Anchor {
		s.d.Anchors++
		if !hasScheme(url) {
			s.d.RelativeLinks++
		}
	}
	if len(s.d.Links) >= s.lim.Links || len(s.arena)+len(url) > s.lim.URLs {
		s.d.Truncated = true
		return -1
	}
	s.d.Links = append(s.d.Links, Link{
		Kind: kind, Hidden: look.hidden(), Width: -1, Height: -1, url: s.keep(url),
		text: span{len(s.visible.b), len(s.visible.b)},
	})
	if kind != Anchor {
		s.d.Links[len(s.d.Links)-1].text = span{}
	}
	return len(s.d.Links) - 1
}

// keep copies an address or a text that an attribute has, as far as there is room.
func (s *scanner) keep(b []byte) span {
	if room := s.lim.URLs - len(s.arena); len(b) > room {
		b, s.d.Truncated = b[:max(room, 0)], true
	}
	begin := len(s.arena)
	s.arena = append(s.arena, b...)
	return span{begin, len(s.arena)}
}

// closeAnchor ends the text of the open anchor.
func (s *scanner) closeAnchor() {
	if s.anchor >= 0 {
		s.d.Links[s.anchor].text.end = len(s.visible.b)
		s.anchor = -1
	}
}

// hasScheme reports whether an address says where it goes, and not only how from here.
func hasScheme(url []byte) bool {
	if bytes.HasPrefix(url, []byte("//")) {
		return true
	}
	for i, c := range url {
		switch {
		case c == ':':
			return i > 0
		case !isLetter(c) && !isDigit(c) && c != '+' && c != '-' && c != '.':
			return false
		}
	}
	return false
}
