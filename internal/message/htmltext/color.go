package htmltext

import "bytes"

// similar reports whether text of one colour cannot be read on the other.
func similar(a, b int32) bool {
	if a < 0 || b < 0 {
		return false
	}
	const most = 16 // of 255, in each of red, green and blue
	for range 3 {
		if d := a&0xff - b&0xff; d > most || d < -most {
			return false
		}
		a, b = a>>8, b>>8
	}
	return true
}

// cssColor reads a colour as style sheets write it.
func cssColor(value []byte) int32 {
	if len(value) == 0 {
		return noColor
	}
	if value[0] == '#' {
		return hexColor(value[1:])
	}
	if open := bytes.IndexByte(value, '('); open > 0 {
		return rgbColor(value[:open], value[open+1:])
	}
	return namedColor(value)
}

// legacyColor reads a colour as attributes have it: the "#" may lack.
func legacyColor(value []byte) int32 {
	value = trimWhite(value)
	if len(value) == 6 && isHex(value) {
		return hexColor(value)
	}
	return cssColor(value)
}

// backgroundColor finds the colour in the shorthand "#fff url(x.png) no-repeat".
func backgroundColor(value []byte) int32 {
	if bytes.Contains(value, []byte("url(")) || bytes.Contains(value, []byte("gradient")) {
		return unknownColor
	}
	if len(value) > 3 && lowerByte(value[0]) == 'r' && bytes.IndexByte(value, '(') > 0 {
		return cssColor(value)
	}
	for word := range bytes.FieldsSeq(value) {
		if c := cssColor(word); c != unknownColor {
			return c
		}
	}
	return noColor
}

func isHex(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// hexColor reads rgb, rgba, rrggbb and rrggbbaa.
func hexColor(b []byte) int32 {
	if !isHex(b) {
		return unknownColor
	}
	digit := func(i int) int32 {
		if c := b[i]; isDigit(c) {
			return int32(c - '0')
		}
		return int32(b[i]|0x20-'a') + 10
	}
	switch len(b) {
	case 3, 4:
		if len(b) == 4 && digit(3) <= 1 {
			return clearColor
		}
		return digit(0)*0x110000 + digit(1)*0x1100 + digit(2)*0x11
	case 6, 8:
		if len(b) == 8 && digit(6)*16+digit(7) < 0x1a {
			return clearColor
		}
		c := int32(0)
		for i := range 6 {
			c = c<<4 | digit(i)
		}
		return c
	}
	return unknownColor
}

// rgbColor reads the arguments of rgb() and rgba().
func rgbColor(name, args []byte) int32 {
	if !isWord(name, "rgb") && !isWord(name, "rgba") {
		return unknownColor
	}
	args, _, _ = bytes.Cut(args, []byte(")"))
	c, n := int32(0), 0
	for word := range bytes.FieldsFuncSeq(args, func(r rune) bool { return r == ',' || r == ' ' || r == '/' || r == '\t' }) {
		v, u, ok := length(word)
		if !ok {
			return unknownColor
		}
		if n == 3 {
			if v < 0.1 {
				return clearColor
			}
			break
		}
		if u == unitRelative {
			v *= 255
		}
		c = c<<8 | int32(max(0, min(v, 255)))
		n++
	}
	if n != 3 {
		return unknownColor
	}
	return c
}

// namedColor knows the names that mail uses, above all those near white and black.
func namedColor(name []byte) int32 {
	var buf [24]byte
	if len(name) > len(buf) {
		return unknownColor
	}
	for i, c := range name {
		buf[i] = lowerByte(c)
	}
	switch string(buf[:len(name)]) {
	case "inherit", "currentcolor", "initial", "unset", "auto", "none", "windowtext", "window":
		return noColor
	case "transparent":
		return clearColor
	case "black":
		return 0x000000
	case "white":
		return 0xffffff
	case "silver":
		return 0xc0c0c0
	case "gray", "grey":
		return 0x808080
	case "darkgray", "darkgrey":
		return 0xa9a9a9
	case "lightgray", "lightgrey":
		return 0xd3d3d3
	case "dimgray", "dimgrey":
		return 0x696969
	case "gainsboro":
		return 0xdcdcdc
	case "whitesmoke":
		return 0xf5f5f5
	case "snow":
		return 0xfffafa
	case "ivory":
		return 0xfffff0
	case "ghostwhite":
		return 0xf8f8ff
	case "floralwhite":
		return 0xfffaf0
	case "mintcream":
		return 0xf5fffa
	case "azure":
		return 0xf0ffff
	case "aliceblue":
		return 0xf0f8ff
	case "seashell":
		return 0xfff5ee
	case "honeydew":
		return 0xf0fff0
	case "lightyellow":
		return 0xffffe0
	case "beige":
		return 0xf5f5dc
	case "linen":
		return 0xfaf0e6
	case "red":
		return 0xff0000
	case "maroon":
		return 0x800000
	case "yellow":
		return 0xffff00
	case "olive":
		return 0x808000
	case "lime":
		return 0x00ff00
	case "green":
		return 0x008000
	case "aqua", "cyan":
		return 0x00ffff
	case "teal":
		return 0x008080
	case "blue":
		return 0x0000ff
	case "navy":
		return 0x000080
	case "fuchsia", "magenta":
		return 0xff00ff
	case "purple":
		return 0x800080
	case "orange":
		return 0xffa500
	case "pink":
		return 0xffc0cb
	case "brown":
		return 0xa52a2a
	}
	return unknownColor
}
