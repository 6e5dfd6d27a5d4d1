package htmltext

import "encoding/binary"

// property is a property of a style that can hide something, or several that do so alike.
type property uint8

const (
	propertyNone property = iota
	propertyDisplay
	propertyMSOHide
	propertyVisibility
	propertyOpacity
	propertyColor
	propertyBackgroundColor
	propertyBackground
	propertyBackgroundImage
	propertyFontSize
	propertyFont
	propertyHeight
	propertyWidth
	propertyMost // max-height, max-width
	propertyOverflow
	propertyPosition
	propertyPlace  // left and the like
	propertyIndent // text-indent, margins
)

var properties = func() nameTable[property] {
	t := newNameTable[property](256)
	for s, p := range map[string]property{
		"display": propertyDisplay, "mso-hide": propertyMSOHide, "visibility": propertyVisibility, "opacity": propertyOpacity,
		"color": propertyColor, fillColor: propertyColor, "background-color": propertyBackgroundColor,
		"background": propertyBackground, "background-image": propertyBackgroundImage,
		"font-size": propertyFontSize, "font": propertyFont,
		"height": propertyHeight, "width": propertyWidth, "max-height": propertyMost, "max-width": propertyMost,
		"overflow": propertyOverflow, "overflow-x": propertyOverflow, "overflow-y": propertyOverflow,
		"position": propertyPosition,
		"left":     propertyPlace, "top": propertyPlace, "right": propertyPlace, "bottom": propertyPlace,
		"text-indent": propertyIndent, "margin-left": propertyIndent, "margin-top": propertyIndent, "margin": propertyIndent,
	} {
		t.put(s, p)
	}
	return t
}()

// fillColor is the one name that is longer than a name in the table.
const fillColor = "-webkit-text-fill-color"

// propertyOf tells the property whose name, with white space around it, ends at text[end].
func propertyOf(text []byte, end int) property {
	for len(text) > 0 && end > 0 && classes[text[0]] == white {
		text, end = text[1:], end-1
	}
	for end > 0 && classes[text[end-1]] == white {
		end--
	}
	p := properties.get(nameIn(text, end), end)
	if end > maxName && !isWord(text[:end], fillColor) {
		return propertyNone
	}
	return p
}

// nameIn is the name of that size at the beginning of b.
func nameIn(b []byte, size int) (n name) {
	if len(b) < maxName {
		for i := range size {
			n.set(i, lowerByte(b[i]))
		}
		return n
	}
	n.low, n.high = toLower(binary.LittleEndian.Uint64(b)), toLower(binary.LittleEndian.Uint64(b[8:]))
	if size < 8 {
		n.low, n.high = n.low&(1<<(size*8)-1), 0
	} else if size < maxName {
		n.high &= 1<<(size*8-64) - 1
	}
	return n
}
