package htmltext

// maxShort is how long a tag may be that is read in one go, in bytes: the limits of values do not matter in it.
const maxShort = maxValue

// shortTag reads a tag that is in the window as a whole, and has nothing odd: nearly every one. It changes nothing that
// counts if it is none.
func (s *scanner) shortTag() bool {
	b := s.in.buf[s.in.pos:min(s.in.end, s.in.pos+maxShort)]
	n, i := shortName(b, endsTag)
	if i == 0 {
		return false
	}
	s.name, s.nameSize, s.kind = n, i, kindOf(n, i)
	s.values, s.has = s.values[:0], 0
	if b[i] == '>' { // most tags
		s.in.pos += i + 1
		return true
	}
	wanted := special[s.kind.tag] | common
	if len(s.sheet.rules) > 0 {
		wanted |= 1<<attrClass | 1<<attrID
	}
	handlers := 0
	for i < len(b) {
		c := b[i]
		if c == '>' {
			s.in.pos += i + 1
			s.d.Handlers += handlers
			return true
		}
		if ends[c]&endsTag != 0 {
			i++
			continue
		}
		n, size := shortName(b[i:], endsAttr)
		if size == 0 {
			return false
		}
		if isHandler(n, size) {
			handlers++
		}
		value, behind := shortValue(b, i+size)
		if behind < 0 {
			return false
		}
		i = behind
		if a := attributes.get(n, size); wanted.has(a) {
			wanted &^= 1 << a // the first counts
			if urls.has(a) {
				value = value[:min(len(value), s.lim.URL)]
			}
			begin := len(s.values)
			s.values = append(s.values, value...)
			s.keepValue(a, begin)
		}
	}
	return false
}

// shortValue reads what is behind an attribute's name, which ends at b[i], and tells where it ends; -1 when that may be
// behind b.
func shortValue(b []byte, i int) (value []byte, end int) {
	for ; i < len(b) && classes[b[i]] == white; i++ {
	}
	if i == len(b) {
		return nil, -1
	}
	if b[i] != '=' {
		return nil, i
	}
	for i++; i < len(b) && classes[b[i]] == white; i++ {
	}
	if i == len(b) {
		return nil, -1
	}
	if quote := b[i]; quote == '"' || quote == '\'' {
		n := indexNear(b[i+1:], quote)
		if n < 0 {
			return nil, -1
		}
		return b[i+1 : i+1+n], i + n + 2
	}
	begin := i
	for ; i < len(b); i++ {
		if ends[b[i]]&endsValue != 0 {
			return b[begin:i], i
		}
	}
	return nil, -1
}
