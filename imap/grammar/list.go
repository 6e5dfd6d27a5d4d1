package grammar

// listCommand reads LIST in its basic and its extended form. RFC 9051 6.3.9
func (r *Reader) listCommand() Command {
	c := &List{}
	r.space()
	if r.peek() == '(' {
		c.Extended = true
		r.list(func() { c.Select |= r.listSelect() })
		r.space()
	}
	// RFC 5258 3.1: RECURSIVEMATCH modifies another option.
	if c.Select&ListSelectRecursiveMatch != 0 && c.Select&(ListSelectSubscribed|ListSelectSpecialUse) == 0 {
		r.bad("RECURSIVEMATCH needs SUBSCRIBED or SPECIAL-USE")
	}
	c.Reference = r.reference()
	r.space()
	if r.peek() == '(' {
		c.Extended = true
		r.list(func() { c.Patterns = append(c.Patterns, r.pattern(listChar)) })
		if r.err == nil && len(c.Patterns) == 0 {
			r.bad("LIST needs a pattern")
		}
		if len(c.Patterns) > maxPatterns {
			r.fail(refused("LIMIT", "LIST has too many patterns"))
		}
	} else {
		c.Patterns = []string{r.pattern(listChar)}
	}
	if r.peek() == ' ' && r.pos+1 < r.eol && r.buf[r.pos+1] != ' ' {
		r.space()
		c.Extended = true
		if !r.acceptWord("RETURN") {
			r.bad("Behind its patterns LIST takes RETURN")
		}
		r.space()
		r.list(func() { c.Return |= r.listReturn(c) })
	}
	return c
}

// maxPatterns bounds the work of one LIST.
const maxPatterns = 100

// reference takes the reference name, which is bare, quoted or a literal.
func (r *Reader) reference() string { return r.pattern(astringChar) }

func (r *Reader) listSelect() ListSelect {
	switch string(r.hyphenated()) {
	case "SUBSCRIBED":
		return ListSelectSubscribed
	case "REMOTE":
		return ListSelectRemote
	case "RECURSIVEMATCH":
		return ListSelectRecursiveMatch
	case "SPECIAL-USE":
		return ListSelectSpecialUse
	}
	r.bad("A selection option of LIST is not known")
	return 0
}

func (r *Reader) listReturn(c *List) ListReturn {
	switch string(r.hyphenated()) {
	case "SUBSCRIBED":
		return ListReturnSubscribed
	case "CHILDREN":
		return ListReturnChildren
	case "SPECIAL-USE":
		return ListReturnSpecialUse
	case "STATUS": // RFC 5819 2
		r.space()
		c.Status |= r.statusItems()
		return ListReturnStatus
	}
	r.bad("A return option of LIST is not known")
	return 0
}
