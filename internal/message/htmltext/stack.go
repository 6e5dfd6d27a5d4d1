package htmltext

// Limits of the stack of open elements.
const (
	maxDepth  = 256 // what is deeper is as its last ancestor here
	maxSearch = 64  // elements looked at for the one that an end tag ends
	maxFormat = 8   // formatting elements that go on when the block around them ends
)

// element is one that is open.
type element struct {
	tag    tag
	hidden Hiding // what all tells
	hash   uint32 // of the name
	own    style  // what it sets itself
	all    style  // with what it has from its ancestors
}

// stack is the elements that are open, innermost last.
type stack struct {
	open   []element
	beyond int // open ones over maxDepth
	tables int
}

func (st *stack) reset() {
	st.open = append(st.open[:0], element{all: initialStyle})
	st.beyond, st.tables = 0, 0
}

// style is that of the innermost element.
func (st *stack) style() *style { return &st.open[len(st.open)-1].all }

// hidden tells in which ways the innermost element's text is hidden.
func (st *stack) hidden() Hiding { return st.open[len(st.open)-1].hidden }

func (st *stack) push(t tag, hash uint32, own *style) {
	n := len(st.open)
	if n >= maxDepth {
		st.beyond++
		return
	}
	if t == tagTable {
		st.tables++
	}
	if n == cap(st.open) {
		st.open = append(st.open, element{})
	}
	st.open = st.open[:n+1]
	outer, e := &st.open[n-1], &st.open[n]
	e.tag, e.hash = t, hash
	if own.isPlain() {
		e.own = noStyle
		e.own.width, e.own.height = own.width, own.height
		e.all, e.hidden = outer.all, outer.hidden
		e.all.width, e.all.height = own.width, own.height
		return
	}
	e.own = *own
	e.all.inherit(&outer.all, own)
	e.hidden = e.all.hidden()
}

// find gives the place of the innermost element that is tells of, -1 when there is none near, and what was looked at. A
// cell or a table is as far as an end tag reaches that is none of a table itself.
func (st *stack) find(t tag, hash uint32) (at, steps int) {
	for i := len(st.open) - 1; i > 0; i-- {
		e := &st.open[i]
		if steps++; steps > maxSearch {
			break
		}
		if e.tag == t && e.hash == hash {
			return i, steps
		}
		switch e.tag {
		case tagCell:
			if t != tagRow && t != tagTable {
				return -1, steps
			}
		case tagTable:
			return -1, steps
		}
	}
	return -1, steps
}

// closeAt ends the element at a place. What is inside ends too but for the innermost formatting, which goes on outside,
// unless the whole is a cell or a table.
func (st *stack) closeAt(at int) {
	inside := st.open[at+1:]
	formatting := 0
	for i := range inside {
		if inside[i].tag == tagTable {
			st.tables--
		} else if inside[i].tag.isFormat() {
			formatting++
		}
	}
	t := st.open[at].tag
	if t == tagTable {
		st.tables--
	}
	st.open = st.open[:at]
	if t == tagCell || t == tagRow || t == tagTable {
		return
	}
	for i := 0; formatting > 0; i++ {
		if !inside[i].tag.isFormat() {
			continue
		}
		if formatting <= maxFormat {
			e := &inside[i]
			st.push(e.tag, e.hash, &e.own) // which moves it to the left
		}
		formatting--
	}
}
