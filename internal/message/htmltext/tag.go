package htmltext

import "strings"

// tag is an element's kind, as far as it matters here.
type tag uint8

const (
	tagUnknown   tag = iota // none of HTML
	tagForeign              // of an XML namespace or a custom element
	tagInline               // any element without an effect of its own
	tagFormat               // formatting that outlives the block around it: b, i, font and the like
	tagBlock                // begins and ends lines
	tagCell                 // td, th
	tagRow                  // tr, thead, tbody, tfoot
	tagTable                // table
	tagItem                 // li, dt, dd
	tagPara                 // p
	tagOption               // option, optgroup
	tagVoid                 // has no content
	tagBreak                // br, hr
	tagAnchor               // a
	tagArea                 // area
	tagImage                // img, image
	tagInput                // input
	tagFont                 // font, basefont
	tagForm                 // form
	tagButton               // button
	tagFrame                // frame, embed
	tagObject               // object, applet
	tagIframe               // iframe: what is inside is text that is not shown
	tagScript               // script
	tagStyle                // style
	tagTitle                // title
	tagTextarea             // textarea
	tagRaw                  // xmp, noembed, noframes
	tagPlaintext            // plaintext
	tagTemplate             // template
	tagBody                 // body
	tagHead                 // html, head
	tagBase                 // base
	tagMeta                 // meta
	tagLink                 // link
)

// tagNames are the elements of HTML.
var tagNames = []struct {
	tag   tag
	names string
}{
	{tagAnchor, "a"},
	{tagArea, "area"},
	{tagFormat, "b big code em i nobr s small strike strong tt u"},
	{tagFont, "font basefont"},
	{tagInline, "span abbr acronym bdi bdo blink canvas cite data datalist del dfn ins kbd label map mark marquee math meter " +
		"noscript output picture progress q rb rp rt rtc ruby samp select slot sub sup svg time var audio video"},
	{tagBlock, "div address article aside blockquote caption center colgroup details dialog dir dl fieldset figcaption figure " +
		"footer frameset h1 h2 h3 h4 h5 h6 header hgroup legend listing main menu multicol nav ol pre search section " +
		"summary ul"},
	{tagCell, "td th"},
	{tagRow, "tr thead tbody tfoot"},
	{tagTable, "table"},
	{tagItem, "li dt dd"},
	{tagPara, "p"},
	{tagOption, "option optgroup"},
	{tagVoid, "bgsound col keygen menuitem param source spacer track wbr isindex nextid"},
	{tagBreak, "br hr"},
	{tagImage, "img image"},
	{tagInput, "input"},
	{tagForm, "form"},
	{tagButton, "button"},
	{tagFrame, "frame embed"},
	{tagObject, "object applet"},
	{tagIframe, "iframe"},
	{tagScript, "script"},
	{tagStyle, "style"},
	{tagTitle, "title"},
	{tagTextarea, "textarea"},
	{tagRaw, "xmp noembed noframes"},
	{tagPlaintext, "plaintext"},
	{tagTemplate, "template"},
	{tagBody, "body"},
	{tagHead, "html head"},
	{tagBase, "base"},
	{tagMeta, "meta"},
	{tagLink, "link"},
}

// kind is a tag with hashes of the element's name: its own, and that of rules of style sheets for it.
type kind struct {
	tag       tag
	hash, key uint32
}

func newKind(t tag, name []byte) kind { return kind{t, nameHash(name), keyHash(0, name)} }

var kinds = func() nameTable[kind] {
	t := newNameTable[kind](512)
	for _, k := range tagNames {
		for s := range strings.FieldsSeq(k.names) {
			t.put(s, newKind(k.tag, []byte(s)))
		}
	}
	return t
}()

// kindOf tells what an element is, by its name.
func kindOf(n name, size int) kind {
	if k := kinds.get(n, size); k.hash != 0 {
		return k
	}
	var buf [maxName]byte
	text := n.append(buf[:0], size)
	k := newKind(tagUnknown, text)
	for _, c := range text {
		if c == ':' || c == '-' {
			k.tag = tagForeign
		}
	}
	return k
}

// nameHash tells names apart (FNV-1a). Names that collide only end each other's elements.
func nameHash(name []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range name {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

// tagSet is a set of kinds.
type tagSet uint64

func (t tag) in(s tagSet) bool { return s>>t&1 != 0 }

const (
	voids = 1<<tagVoid | 1<<tagBreak | 1<<tagArea | 1<<tagImage | 1<<tagInput | 1<<tagFrame | 1<<tagBase |
		1<<tagMeta | 1<<tagLink
	formats = 1<<tagFormat | 1<<tagFont | 1<<tagAnchor
	blocks  = 1<<tagBlock | 1<<tagRow | 1<<tagTable | 1<<tagItem | 1<<tagPara | 1<<tagOption | 1<<tagBreak |
		1<<tagForm | 1<<tagBody | 1<<tagHead | 1<<tagTitle | 1<<tagPlaintext | 1<<tagRaw
	raws = 1<<tagScript | 1<<tagStyle | 1<<tagIframe | 1<<tagTitle | 1<<tagTextarea | 1<<tagRaw | 1<<tagPlaintext
)

// isVoid tells elements that have no content and no end tag.
func (t tag) isVoid() bool { return t.in(voids) }

// isFormat tells elements that go on when the block around them ends.
func (t tag) isFormat() bool { return t.in(formats) }

// isBlock tells elements that are on lines of their own.
func (t tag) isBlock() bool { return t.in(blocks) }

// isRaw tells elements whose content is text up to their end tag.
func (t tag) isRaw() bool { return t.in(raws) }

// attribute is an attribute whose value matters.
type attribute uint8

const (
	attrNone attribute = iota
	attrHref
	attrSrc
	attrAction
	attrFormAction
	attrBackground
	attrStyle
	attrColor
	attrBgcolor
	attrText
	attrWidth
	attrHeight
	attrHidden
	attrType
	attrEquiv
	attrContent
	attrAlt
	attrData
	attrRel
	attrClass
	attrID
	attrCount
)

var attributes = func() nameTable[attribute] {
	t := newNameTable[attribute](128)
	for s, a := range map[string]attribute{
		"href": attrHref, "xlink:href": attrHref, "src": attrSrc, "action": attrAction,
		"formaction": attrFormAction, "background": attrBackground, "style": attrStyle, "color": attrColor,
		"bgcolor": attrBgcolor, "text": attrText, "width": attrWidth, "height": attrHeight,
		"hidden": attrHidden, "type": attrType, "http-equiv": attrEquiv, "content": attrContent,
		"alt": attrAlt, "data": attrData, "rel": attrRel, "class": attrClass,
		"id": attrID,
	} {
		t.put(s, a)
	}
	return t
}()

// attributeSet is a set of attributes.
type attributeSet uint32

func (s attributeSet) has(a attribute) bool { return s>>a&1 != 0 }

// Attributes that set a style, those that hold addresses, and those that matter in any element; class and id do so only
// where there are rules of a style sheet.
const (
	styling attributeSet = 1<<attrHidden | 1<<attrColor | 1<<attrText | 1<<attrBgcolor | 1<<attrBackground
	urls    attributeSet = 1<<attrHref | 1<<attrSrc | 1<<attrAction | 1<<attrFormAction | 1<<attrBackground | 1<<attrData
	common  attributeSet = 1<<attrHidden | 1<<attrBackground | 1<<attrBgcolor | 1<<attrStyle
)

// special are the attributes that matter in an element of some kind only.
var special = [1 << 8]attributeSet{
	tagAnchor: 1 << attrHref,
	tagArea:   1 << attrHref,
	tagBase:   1 << attrHref,
	tagLink:   1<<attrHref | 1<<attrRel,
	tagImage:  1<<attrSrc | 1<<attrWidth | 1<<attrHeight | 1<<attrAlt,
	tagInput:  1<<attrFormAction | 1<<attrType | 1<<attrSrc,
	tagForm:   1 << attrAction,
	tagButton: 1 << attrFormAction,
	tagFrame:  1 << attrSrc,
	tagIframe: 1 << attrSrc,
	tagScript: 1 << attrSrc,
	tagObject: 1 << attrData,
	tagMeta:   1<<attrEquiv | 1<<attrContent,
	tagFont:   1 << attrColor,
	tagBody:   1 << attrText,
}
