package grammar

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/ianaindex"
)

// search reads SEARCH. RFC 9051 6.4.4, RFC 5182
func (r *Reader) search(uid bool) Command {
	c := &Search{UID: uid}
	r.space()
	if r.acceptWord("RETURN") {
		c.Extended = true
		r.space()
		r.list(func() { c.Return |= r.searchReturn() })
		if c.Return == 0 {
			c.Return = ReturnAll
		}
		r.space()
	}
	if r.acceptWord("CHARSET") {
		r.space()
		c.Charset = strings.ToUpper(r.astring())
		r.space()
	}
	r.charset = findCharset(c.Charset)
	keys := r.keys(nil)
	c.Key = and(keys)
	return c
}

func (r *Reader) searchReturn() SearchReturn {
	switch string(r.word()) {
	case "MIN":
		return ReturnMin
	case "MAX":
		return ReturnMax
	case "ALL":
		return ReturnAll
	case "COUNT":
		return ReturnCount
	case "SAVE":
		return ReturnSave
	}
	r.bad("A result option of SEARCH is not known")
	return 0
}

// keys takes keys separated by spaces.
func (r *Reader) keys(keys []SearchKey) []SearchKey {
	for r.err == nil {
		keys = append(keys, r.key())
		if r.atEnd() || r.peek() == ')' || !r.accept(' ') || r.atEnd() {
			break
		}
	}
	return keys
}

func and(keys []SearchKey) SearchKey {
	if len(keys) == 1 {
		return keys[0]
	}
	return SearchKey{Op: SearchAnd, Keys: keys}
}

// key takes one search key with its arguments. RFC 9051 9 (search-key)
func (r *Reader) key() SearchKey {
	r.element()
	switch c := r.peek(); {
	case c == '(':
		return r.keyList()
	case c == '$', c == '*', is(c, digit):
		return SearchKey{Op: SearchSeq, Set: r.set()}
	}
	name := r.word()
	switch string(name) {
	case "OR":
		return r.or()
	case "NOT":
		return r.not()
	}
	rule, ok := searchKeys[string(name)]
	if !ok {
		r.bad("A search key is not known")
		return SearchKey{}
	}
	k := SearchKey{Op: rule.op, Flag: rule.flag}
	r.keyArguments(rule.args, &k)
	return k
}

func (r *Reader) keyList() SearchKey {
	r.expect('(', "")
	r.nest()
	k := and(r.keys(nil))
	r.depth--
	r.expect(')', "Search keys must be closed with )")
	return k
}

// or takes what follows OR. Clients chain hundreds of them, OR a OR b OR c d, so
// nested ORs become one key with all their alternatives, without recursion.
func (r *Reader) or() SearchKey {
	k := SearchKey{Op: SearchOr}
	for missing := 2; missing > 0 && r.err == nil; {
		r.space()
		if r.acceptWord("OR") {
			r.element()
			missing++
			continue
		}
		k.Keys = append(k.Keys, r.key())
		missing--
	}
	return k
}

// not takes what follows NOT; two of them are none.
func (r *Reader) not() SearchKey {
	negative := true
	r.space()
	for r.acceptWord("NOT") {
		r.element()
		negative = !negative
		r.space()
	}
	r.nest()
	k := r.key()
	r.depth--
	if !negative || r.err != nil {
		return k
	}
	return SearchKey{Op: SearchNot, Keys: []SearchKey{k}}
}

// arguments says what stands behind the name of a search key.
type arguments uint8

const (
	noArgs arguments = iota
	textArg
	flagArg
	fieldArgs
	dateArg
	sizeArg
	setArg
	modSeqArgs
	secondsArg
)

var searchKeys = map[string]struct {
	op   SearchOp
	args arguments
	flag string
}{
	"ALL":        {op: SearchAll},
	"ANSWERED":   {op: SearchFlag, flag: `\Answered`},
	"DELETED":    {op: SearchFlag, flag: `\Deleted`},
	"DRAFT":      {op: SearchFlag, flag: `\Draft`},
	"FLAGGED":    {op: SearchFlag, flag: `\Flagged`},
	"SEEN":       {op: SearchFlag, flag: `\Seen`},
	"UNANSWERED": {op: SearchNoFlag, flag: `\Answered`},
	"UNDELETED":  {op: SearchNoFlag, flag: `\Deleted`},
	"UNDRAFT":    {op: SearchNoFlag, flag: `\Draft`},
	"UNFLAGGED":  {op: SearchNoFlag, flag: `\Flagged`},
	"UNSEEN":     {op: SearchNoFlag, flag: `\Seen`},
	"KEYWORD":    {op: SearchFlag, args: flagArg},
	"UNKEYWORD":  {op: SearchNoFlag, args: flagArg},
	"NEW":        {op: SearchNew},
	"OLD":        {op: SearchOld},
	"RECENT":     {op: SearchRecent},
	"BCC":        {op: SearchBcc, args: textArg},
	"BODY":       {op: SearchBody, args: textArg},
	"CC":         {op: SearchCc, args: textArg},
	"FROM":       {op: SearchFrom, args: textArg},
	"SUBJECT":    {op: SearchSubject, args: textArg},
	"TEXT":       {op: SearchText, args: textArg},
	"TO":         {op: SearchTo, args: textArg},
	"HEADER":     {op: SearchHeader, args: fieldArgs},
	"BEFORE":     {op: SearchBefore, args: dateArg},
	"ON":         {op: SearchOn, args: dateArg},
	"SINCE":      {op: SearchSince, args: dateArg},
	"SENTBEFORE": {op: SearchSentBefore, args: dateArg},
	"SENTON":     {op: SearchSentOn, args: dateArg},
	"SENTSINCE":  {op: SearchSentSince, args: dateArg},
	"LARGER":     {op: SearchLarger, args: sizeArg},
	"SMALLER":    {op: SearchSmaller, args: sizeArg},
	"UID":        {op: SearchUID, args: setArg},
	"MODSEQ":     {op: SearchModSeq, args: modSeqArgs},
	"OLDER":      {op: SearchOlder, args: secondsArg},
	"YOUNGER":    {op: SearchYounger, args: secondsArg},
}

func (r *Reader) keyArguments(args arguments, k *SearchKey) {
	if args == noArgs {
		return
	}
	r.space()
	switch args {
	case textArg:
		k.Text = r.charset.decode(r, r.astring())
	case fieldArgs:
		k.Field = r.astring()
		r.space()
		k.Text = r.charset.decode(r, r.astring())
	case flagArg:
		k.Flag = keyword(r.atom("A keyword is missing"))
	case dateArg:
		k.Date = r.date()
	case sizeArg:
		k.Number = r.number(maxNumber64)
	case setArg:
		k.Set = r.set()
	case secondsArg:
		k.Number = r.positive(maxNumber)
	case modSeqArgs:
		r.modSeqKey(k)
	}
}

// modSeqKey reads MODSEQ. There is one MODSEQ for a message, so the entry that a
// client may name makes no difference. RFC 7162 3.1.5
func (r *Reader) modSeqKey(k *SearchKey) {
	if r.peek() == '"' {
		if !strings.HasPrefix(r.quoted(), "/flags/") {
			r.bad("MODSEQ takes the name of a flag")
		}
		r.space()
		switch string(r.word()) {
		case "PRIV", "SHARED", "ALL":
		default:
			r.bad("MODSEQ takes priv, shared or all")
		}
		r.space()
	}
	k.Number = r.number(maxNumber64)
}

// charset turns the strings of a search into UTF-8.
type charset struct {
	unknown bool
	decoder *encoding.Decoder // nil: they are UTF-8
}

// findCharset finds a charset by its name. RFC 9051 6.4.4 asks for US-ASCII and
// UTF-8; without a name it is UTF-8 too.
func findCharset(name string) *charset {
	switch name {
	case "", "UTF-8", "US-ASCII":
		return &charset{}
	}
	e, err := ianaindex.MIME.Encoding(name)
	if err != nil || e == nil {
		return &charset{unknown: true}
	}
	return &charset{decoder: e.NewDecoder()}
}

func (c *charset) decode(r *Reader, s string) string {
	if c.decoder != nil && !c.unknown {
		d, err := c.decoder.String(s)
		if err != nil {
			r.bad("A text is not in the charset")
		}
		return d
	}
	if !c.unknown && !utf8.ValidString(s) {
		r.bad("A text is not UTF-8")
	}
	return s
}

// check refuses an unknown charset, when the whole command is read and found
// right. RFC 9051 6.4.4
func (c *charset) check(r *Reader) {
	if c.unknown {
		r.fail(refused("BADCHARSET (US-ASCII UTF-8)", "The charset is not known"))
	}
}
