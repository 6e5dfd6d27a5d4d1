package htmltext

import "bytes"

// style is what decides whether text can be seen, of an element alone or with what it has from its ancestors.
type style struct {
	ways   Hiding // those that no descendant can undo
	unseen switchState
	tiny   switchState

	color      int32 // 0xRRGGBB, or one of the values below
	background int32

	width, height int32 // of the box in pixels, -1 when not set; not inherited
}

// switchState is a property with two values that is inherited where it is not set.
type switchState uint8

const (
	unset switchState = iota
	off
	on
)

// Colours that are none.
const (
	noColor      int32 = -1 // not set
	unknownColor int32 = -2 // an image, a gradient, a name that we do not know
	clearColor   int32 = -3 // transparent
)

var (
	initialStyle = style{unseen: off, tiny: off, color: 0x000000, background: 0xffffff, width: -1, height: -1}
	noStyle      = style{color: noColor, background: noColor, width: -1, height: -1}
)

// isPlain reports whether nothing is set that decides whether text can be seen.
func (st *style) isPlain() bool {
	return st.ways == 0 && st.unseen == unset && st.tiny == unset && st.color == noColor && st.background == noColor
}

// inherit makes st the style of a child of outer that sets own.
func (st *style) inherit(outer, own *style) {
	*st = *own
	st.ways |= outer.ways
	if st.unseen == unset {
		st.unseen = outer.unseen
	}
	if st.tiny == unset {
		st.tiny = outer.tiny
	}
	if st.color == noColor {
		st.color = outer.color
	}
	if st.background == noColor || st.background == clearColor {
		st.background = outer.background
	}
}

// set overwrites what other sets.
func (st *style) set(other *style) {
	st.ways |= other.ways
	if other.unseen != unset {
		st.unseen = other.unseen
	}
	if other.tiny != unset {
		st.tiny = other.tiny
	}
	if other.color != noColor {
		st.color = other.color
	}
	if other.background != noColor {
		st.background = other.background
	}
}

// hidden tells in which ways text of that style is hidden.
func (st *style) hidden() Hiding {
	ways := st.ways
	if st.unseen == on {
		ways |= NotVisible
	}
	if st.tiny == on {
		ways |= TinyFont
	}
	if st.color == clearColor {
		ways |= Transparent
	} else if similar(st.color, st.background) {
		ways |= SameColour
	}
	return ways
}

// linkColor is what anchors have in most programs.
const linkColor int32 = 0x0000ee

// readOwnStyle finds what the tag being read sets: by its attributes, by the document's style sheets, by its style attribute.
func (s *scanner) readOwnStyle(t tag) {
	own := &s.own
	*own = noStyle
	if t == tagAnchor && s.has.has(attrHref) {
		own.color = linkColor
	}
	if s.has&styling != 0 || t == tagTemplate {
		s.readOldStyle(t)
	}
	if len(s.sheet.rules) > 0 {
		s.sheet.apply(own, s.kind.key, s.attr(attrClass), s.attr(attrID))
	}
	if s.has.has(attrStyle) {
		s.styles.read(s.attr(attrStyle), own)
		s.addressesIn(s.attr(attrStyle))
	}
}

// readOldStyle reads the attributes that say what style sheets say nowadays.
func (s *scanner) readOldStyle(t tag) {
	own := &s.own
	if t == tagTemplate || s.has.has(attrHidden) {
		own.ways |= NotDisplayed
	}
	if s.has.has(attrColor) && t == tagFont {
		own.color = legacyColor(s.attr(attrColor))
	}
	if s.has.has(attrText) && t == tagBody {
		own.color = legacyColor(s.attr(attrText))
	}
	if s.has.has(attrBgcolor) {
		own.background = legacyColor(s.attr(attrBgcolor))
	}
	if len(s.attr(attrBackground)) > 0 {
		own.background = unknownColor
	}
}

// addressesIn notes the addresses in a style attribute.
func (s *scanner) addressesIn(text []byte) {
	for rest := text; ; {
		i := bytes.Index(rest, []byte("url("))
		if i < 0 {
			return
		}
		rest = rest[i+4:]
		end := bytes.IndexByte(rest, ')')
		if end < 0 {
			return
		}
		if url := bytes.Trim(rest[:end], " \t\r\n'\""); len(url) > 0 {
			s.addLink(Image, url, &s.own)
		}
		rest = rest[end:]
	}
}

// box gathers what only together hides something.
type box struct {
	empty    bool // no height or no width
	clipped  bool // overflow:hidden
	absolute bool
	far      bool
}

// readDeclarations reads "name:value; name:value" into own.
func readDeclarations(text []byte, own *style) {
	if bytes.IndexByte(text, '/') >= 0 && bytes.Contains(text, []byte("/*")) {
		text = withoutComments(text)
	}
	brackets := bytes.IndexByte(text, '(') >= 0
	var b box
	for len(text) > 0 {
		n := declarationEnd(text, brackets)
		if colon := bytes.IndexByte(text[:n], ':'); colon >= 0 {
			if p := propertyOf(text, colon); p != propertyNone {
				declare(own, &b, p, trimWhite(text[colon+1:n]))
			}
		}
		text = text[min(n+1, len(text)):]
	}
	if b.empty && b.clipped {
		own.ways |= EmptyBox
	}
	if b.far && b.absolute {
		own.ways |= OffScreen
	}
}

// declarationEnd is where the semicolon behind a declaration is: not one in brackets or quotes. brackets tells whether there
// may be some.
func declarationEnd(text []byte, brackets bool) int {
	n := bytes.IndexByte(text, ';')
	if n < 0 {
		n = len(text)
	}
	if !brackets || bytes.IndexByte(text[:n], '(') < 0 {
		return n
	}
	inside := false
	for i, c := range text {
		switch {
		case c == '(':
			inside = true
		case c == ')':
			inside = false
		case c == ';' && !inside:
			return i
		}
	}
	return len(text)
}

// trimWhite drops white space around a value.
func trimWhite(b []byte) []byte {
	for len(b) > 0 && classes[b[0]] == white {
		b = b[1:]
	}
	for len(b) > 0 && classes[b[len(b)-1]] == white {
		b = b[:len(b)-1]
	}
	return b
}

func withoutComments(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for {
		before, behind, ok := bytes.Cut(text, []byte("/*"))
		out = append(out, before...)
		if !ok {
			return out
		}
		if _, text, ok = bytes.Cut(behind, []byte("*/")); !ok {
			return out
		}
	}
}

// farAway is from how many pixels on something is out of sight.
const farAway = 400

// declare reads one declaration.
func declare(own *style, b *box, p property, value []byte) {
	if i := bytes.IndexByte(value, '!'); i >= 0 {
		value = trimWhite(value[:i]) // !important
	}
	switch p {
	case propertyDisplay:
		own.ways &^= NotDisplayed
		if isWord(value, "none") {
			own.ways |= NotDisplayed
		}
	case propertyMSOHide:
		if isWord(value, "all") {
			own.ways |= NotDisplayed
		}
	case propertyVisibility:
		own.unseen = switchOf(isWord(value, "hidden") || isWord(value, "collapse"))
	case propertyOpacity:
		if v, _, ok := length(value); ok && v < 0.1 {
			own.ways |= Transparent
		}
	case propertyColor:
		own.color = cssColor(value)
	case propertyBackgroundColor:
		own.background = cssColor(value)
	case propertyBackground:
		own.background = backgroundColor(value)
	case propertyBackgroundImage:
		if !isWord(value, "none") {
			own.background = unknownColor
		}
	case propertyFontSize:
		setFontSize(own, value)
	case propertyFont:
		readFont(own, value)
	default:
		b.declare(own, p, value)
	}
}

// declare reads what makes a box.
func (b *box) declare(own *style, p property, value []byte) {
	switch p {
	case propertyHeight:
		b.empty = b.empty || isNothing(value)
		setSize(&own.height, value)
	case propertyWidth:
		b.empty = b.empty || isNothing(value)
		setSize(&own.width, value)
	case propertyMost:
		b.empty = b.empty || isNothing(value)
	case propertyOverflow:
		b.clipped = b.clipped || isWord(value, "hidden")
	case propertyPosition:
		b.absolute = b.absolute || isWord(value, "absolute") || isWord(value, "fixed")
	case propertyPlace:
		b.far = b.far || isFar(value)
	case propertyIndent:
		if isFar(value) {
			own.ways |= OffScreen
		}
	}
}

func switchOf(is bool) switchState {
	if is {
		return on
	}
	return off
}

func isWord(value []byte, word string) bool {
	if len(value) != len(word) {
		return false
	}
	for i, c := range value {
		if lowerByte(c) != word[i] {
			return false
		}
	}
	return true
}

func isNothing(value []byte) bool {
	v, _, ok := length(value)
	return ok && v <= 0
}

// isFar reports whether a place is far to the left or above.
func isFar(value []byte) bool {
	v, unit, ok := length(value)
	return ok && unit != unitRelative && v <= -farAway
}

func setSize(size *int32, value []byte) {
	if v, unit, ok := length(value); ok && unit != unitRelative {
		*size = int32(v)
	}
}

// setFontSize notes whether a font can be seen. A size relative to the parent's makes a small font no larger.
func setFontSize(own *style, value []byte) {
	v, unit, ok := length(value)
	switch {
	case !ok:
		if len(value) > 0 && isLetter(value[0]) {
			own.tiny = off // medium, larger, inherit
		}
	case unit == unitRelative:
		if v < 0.1 {
			own.tiny = on
		}
	default:
		own.tiny = switchOf(v <= 1)
	}
}

// readFont finds the size in the shorthand "italic bold 12px/30px Georgia, serif": the first length.
func readFont(own *style, value []byte) {
	for word := range bytes.FieldsSeq(value) {
		size, _, _ := bytes.Cut(word, []byte("/"))
		if _, unit, ok := length(size); ok && (unit != unitNone || isWord(size, "0")) {
			setFontSize(own, size)
			return
		}
	}
}

// unit is what a length is measured in.
type unit uint8

const (
	unitNone     unit = iota // a bare number
	unitPixel                // converted to pixels
	unitRelative             // em, %, vw and the like, as a factor
)

// length reads a number with its unit; absolute ones are converted to pixels, percentages to a factor.
func length(b []byte) (v float64, u unit, ok bool) {
	if n, size := wholeNumber(b); size > 0 {
		switch {
		case size == len(b):
			return float64(n), unitNone, true
		case size+2 == len(b) && b[size]|0x20 == 'p' && b[size+1]|0x20 == 'x':
			return float64(n), unitPixel, true
		}
	}
	return anyLength(b)
}

// wholeNumber reads a number of a few digits, as most are.
func wholeNumber(b []byte) (n, size int) {
	for size < len(b) && isDigit(b[size]) {
		if size == 5 {
			return 0, 0
		}
		n = n*10 + int(b[size]-'0')
		size++
	}
	return n, size
}

func anyLength(b []byte) (v float64, u unit, ok bool) {
	i, sign, scale := 0, 1.0, 0.0
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		if b[i] == '-' {
			sign = -1
		}
		i++
	}
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' && scale == 0 {
			scale = 1
			continue
		}
		if !isDigit(c) {
			break
		}
		ok = true
		if scale == 0 {
			v = min(v*10+float64(c-'0'), 1e6)
		} else {
			scale /= 10
			v += float64(c-'0') * scale
		}
	}
	if !ok {
		return 0, unitNone, false
	}
	v *= sign
	factor, u, known := unitOf(b[i:])
	return v * factor, u, known
}

func unitOf(b []byte) (factor float64, u unit, known bool) {
	var buf [4]byte
	if len(b) > len(buf) {
		return 0, unitNone, false
	}
	for i, c := range b {
		buf[i] = lowerByte(c)
	}
	switch string(buf[:len(b)]) {
	case "":
		return 1, unitNone, true
	case "px":
		return 1, unitPixel, true
	case "pt":
		return 4.0 / 3, unitPixel, true
	case "pc":
		return 16, unitPixel, true
	case "in":
		return 96, unitPixel, true
	case "cm":
		return 37.8, unitPixel, true
	case "mm":
		return 3.78, unitPixel, true
	case "rem":
		return 16, unitPixel, true
	case "%":
		return 0.01, unitRelative, true
	case "em", "ex", "ch", "vw", "vh":
		return 1, unitRelative, true
	}
	return 0, unitNone, false
}
