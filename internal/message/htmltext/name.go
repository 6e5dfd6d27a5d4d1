package htmltext

// maxName is more than the longest name of an element or attribute that matters.
const maxName = 16

// name is an element's or attribute's name in lower case, cut at maxName.
type name struct {
	b    [maxName]byte
	n    int
	hash uint32 // FNV-1a
}

func (n *name) bytes() []byte { return n.b[:n.n] }

// Where names and values end.
const (
	endsTag   = 1 << iota // white space, "/" and ">"
	endsAttr              // these and "="
	endsValue             // white space and ">"
)

var ends = func() (t [256]uint8) {
	for c := range t {
		if classes[c] == white {
			t[c] = endsTag | endsAttr | endsValue
		}
	}
	t['>'] = endsTag | endsAttr | endsValue
	t['/'] = endsTag | endsAttr
	t['='] = endsAttr
	return t
}()

var lower = func() (t [256]byte) {
	for c := range t {
		t[c] = lowerByte(byte(c))
	}
	return t
}()

// read reads a name up to what ends it. The byte that is next belongs to the name, whatever it is.
func (n *name) read(in *input, end uint8) {
	size, hash := 0, uint32(fnvBasis)
	for first := 1; in.more(); first = 0 {
		b := in.buf[in.pos:in.end]
		i := 0
		for ; i < len(b) && (i < first || ends[b[i]]&end == 0); i++ {
			if size < maxName {
				c := lower[b[i]]
				n.b[size] = c
				hash = (hash ^ uint32(c)) * fnvPrime
				size++
			}
		}
		in.pos += i
		if i < len(b) {
			break
		}
	}
	n.n, n.hash = size, hash
}

// FNV-1a tells names apart. Names that collide only end each other's elements.
const (
	fnvBasis = 2166136261
	fnvPrime = 16777619
)

// nameTable finds names of HTML by their hashes. Its size is some times the number of names, so that most of those
// that are in no table meet an empty place at once.
type nameTable[T any] [512]struct {
	name  string
	value T
}

func (t *nameTable[T]) put(s string, value T) {
	hash := uint32(fnvBasis)
	for i := range len(s) {
		hash = (hash ^ uint32(s[i])) * fnvPrime
	}
	i := t.place(hash)
	for t[i].name != "" {
		i = (i + 1) % len(t)
	}
	t[i].name, t[i].value = s, value
}

// place is where a name with that hash is, or one of the places behind it.
func (t *nameTable[T]) place(hash uint32) int { return int((hash ^ hash>>15) % uint32(len(t))) }

// get gives the value of a name, the zero value when it is not in the table.
func (t *nameTable[T]) get(n *name) T {
	i := t.place(n.hash)
	for t[i].name != "" && t[i].name != string(n.b[:n.n]) {
		i = (i + 1) % len(t)
	}
	return t[i].value
}
