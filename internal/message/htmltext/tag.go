package htmltext

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

// maxTagName is more than the longest name that tagOf knows.
const maxTagName = 16

// tagOf tells what an element is, by its name in lower case.
func tagOf(name []byte) tag {
	switch string(name) {
	case "a":
		return tagAnchor
	case "area":
		return tagArea
	case "b", "big", "code", "em", "i", "nobr", "s", "small", "strike", "strong", "tt", "u":
		return tagFormat
	case "font", "basefont":
		return tagFont
	case "span", "abbr", "acronym", "bdi", "bdo", "blink", "canvas", "cite", "data", "datalist", "del", "dfn", "ins", "kbd", "label",
		"map", "mark", "marquee", "math", "meter", "noscript", "output", "picture", "progress", "q", "rb", "rp", "rt", "rtc", "ruby",
		"samp", "select", "slot", "sub", "sup", "svg", "time", "var", "audio", "video":
		return tagInline
	case "div", "address", "article", "aside", "blockquote", "caption", "center", "colgroup", "details", "dialog", "dir", "dl",
		"fieldset", "figcaption", "figure", "footer", "frameset", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "legend",
		"listing", "main", "menu", "multicol", "nav", "ol", "pre", "search", "section", "summary", "ul":
		return tagBlock
	case "td", "th":
		return tagCell
	case "tr", "thead", "tbody", "tfoot":
		return tagRow
	case "table":
		return tagTable
	case "li", "dt", "dd":
		return tagItem
	case "p":
		return tagPara
	case "option", "optgroup":
		return tagOption
	case "bgsound", "col", "keygen", "menuitem", "param", "source", "spacer", "track", "wbr", "isindex", "nextid":
		return tagVoid
	case "br", "hr":
		return tagBreak
	case "img", "image":
		return tagImage
	case "input":
		return tagInput
	case "form":
		return tagForm
	case "button":
		return tagButton
	case "frame", "embed":
		return tagFrame
	case "object", "applet":
		return tagObject
	case "iframe":
		return tagIframe
	case "script":
		return tagScript
	case "style":
		return tagStyle
	case "title":
		return tagTitle
	case "textarea":
		return tagTextarea
	case "xmp", "noembed", "noframes":
		return tagRaw
	case "plaintext":
		return tagPlaintext
	case "template":
		return tagTemplate
	case "body":
		return tagBody
	case "html", "head":
		return tagHead
	case "base":
		return tagBase
	case "meta":
		return tagMeta
	case "link":
		return tagLink
	}
	for _, c := range name {
		if c == ':' || c == '-' {
			return tagForeign
		}
	}
	return tagUnknown
}

// isVoid tells elements that have no content and no end tag.
func (t tag) isVoid() bool {
	switch t {
	case tagVoid, tagBreak, tagArea, tagImage, tagInput, tagFrame, tagBase, tagMeta, tagLink:
		return true
	}
	return false
}

// isFormat tells elements that go on when the block around them ends.
func (t tag) isFormat() bool { return t == tagFormat || t == tagFont || t == tagAnchor }

// isBlock tells elements that are on lines of their own.
func (t tag) isBlock() bool {
	switch t {
	case tagBlock, tagRow, tagTable, tagItem, tagPara, tagOption, tagBreak, tagForm, tagBody, tagHead, tagTitle, tagPlaintext, tagRaw:
		return true
	}
	return false
}

// isRaw tells elements whose content is text up to their end tag.
func (t tag) isRaw() bool {
	switch t {
	case tagScript, tagStyle, tagIframe, tagTitle, tagTextarea, tagRaw, tagPlaintext:
		return true
	}
	return false
}

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

// maxAttrName is more than the longest name that attributeOf knows.
const maxAttrName = 12

func attributeOf(name []byte) attribute {
	switch string(name) {
	case "href", "xlink:href":
		return attrHref
	case "src":
		return attrSrc
	case "action":
		return attrAction
	case "formaction":
		return attrFormAction
	case "background":
		return attrBackground
	case "style":
		return attrStyle
	case "color":
		return attrColor
	case "bgcolor":
		return attrBgcolor
	case "text":
		return attrText
	case "width":
		return attrWidth
	case "height":
		return attrHeight
	case "hidden":
		return attrHidden
	case "type":
		return attrType
	case "http-equiv":
		return attrEquiv
	case "content":
		return attrContent
	case "alt":
		return attrAlt
	case "data":
		return attrData
	case "rel":
		return attrRel
	case "class":
		return attrClass
	case "id":
		return attrID
	}
	return attrNone
}
