package grammar

// maxKeyword is the longest keyword that is taken.
const maxKeyword = 255

// store reads STORE. RFC 9051 6.4.6, RFC 7162 3.1.3
func (r *Reader) store(uid bool) Command {
	c := &Store{UID: uid, Set: r.spSet()}
	if r.optionalList() {
		r.list(func() {
			if !r.acceptWord("UNCHANGEDSINCE") {
				r.bad("STORE takes UNCHANGEDSINCE")
			}
			r.space()
			c.Conditional, c.UnchangedSince = true, r.number(maxNumber64)
		})
	}
	r.space()
	switch {
	case r.accept('+'):
		c.Mode = StoreAdd
	case r.accept('-'):
		c.Mode = StoreRemove
	}
	switch string(r.word()) {
	case "FLAGS":
	case "FLAGS.SILENT":
		c.Silent = true
	default:
		r.bad("STORE changes FLAGS")
	}
	r.space()
	if r.peek() == '(' {
		c.Flags = r.flagList()
		return c
	}
	for r.err == nil {
		r.element()
		c.Flags = r.flag(c.Flags)
		if !r.accept(' ') || r.atEnd() {
			break
		}
	}
	return c
}

// flagList takes flags in parentheses.
func (r *Reader) flagList() []string {
	var flags []string
	r.list(func() { flags = r.flag(flags) })
	return flags
}

// flag takes a flag and adds it. \Recent is dropped: some clients give back what
// they were shown, and only the server sets it. RFC 9051 2.3.2, 9 (flag)
func (r *Reader) flag(flags []string) []string {
	system := r.accept('\\')
	b := r.atom("A flag is missing")
	switch {
	case r.err != nil:
		return flags
	case len(b) > maxKeyword:
		r.fail(refused("LIMIT", "A keyword is too long"))
		return flags
	case !system:
		return append(flags, keyword(b))
	case equalFold(b, "RECENT"):
		return flags
	}
	for _, known := range systemFlags {
		if equalFold(b, known.upper) {
			return append(flags, known.name)
		}
	}
	r.bad("There is no such system flag")
	return flags
}

var systemFlags = [...]struct{ upper, name string }{
	{"SEEN", `\Seen`}, {"ANSWERED", `\Answered`}, {"FLAGGED", `\Flagged`}, {"DELETED", `\Deleted`}, {"DRAFT", `\Draft`},
}

// keyword gives the keywords that all clients know without an allocation.
func keyword(b []byte) string {
	switch string(b) {
	case "$Forwarded":
		return "$Forwarded"
	case "$MDNSent":
		return "$MDNSent"
	case "$Junk":
		return "$Junk"
	case "$NotJunk":
		return "$NotJunk"
	case "$Phishing":
		return "$Phishing"
	}
	return string(b)
}
