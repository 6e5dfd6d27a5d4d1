package imap

import (
	"slices"
	"strings"

	"postern/imap/grammar"
	"postern/internal/store"
)

// list is LIST, basic and extended. RFC 9051 6.3.9, RFC 5258
func (s *session) list(c *grammar.List) answer {
	// An empty pattern asks for the separator and the root. RFC 9051 6.3.9
	if !c.Extended && len(c.Patterns) == 1 && c.Patterns[0] == "" {
		s.sayListed("LIST", []string{`\Noselect`}, "", "")
		return ok()
	}
	tree, err := s.tree()
	if err != nil {
		return s.failed(err)
	}
	patterns := compilePatterns(c.Reference, c.Patterns)
	for i := range tree {
		n := &tree[i]
		if !patterns.match(n.name) {
			continue
		}
		chosen := n.chosen(c.Select)
		var below string
		if c.Select&grammar.ListSelectRecursiveMatch != 0 {
			below = childInfo(tree, i, c.Select, patterns)
		}
		if !chosen && below == "" {
			continue
		}
		s.sayListed("LIST", n.attributes(c), n.name, below)
		if c.Return&grammar.ListReturnStatus != 0 && n.exists && !n.box.NoSelect { // RFC 5819
			if a := s.sayStatus(n.box, c.Status); !a.good() {
				return a
			}
		}
		if !s.more() {
			break
		}
	}
	return ok()
}

// node is a name that LIST may show: a mailbox, a level above one, or a subscription whose mailbox is gone.
type node struct {
	name       string
	box        store.Mailbox
	exists     bool
	subscribed bool
	children   bool
}

// tree gives all names in their order.
func (s *session) tree() ([]node, error) {
	mailboxes, err := s.account.Mailboxes(s.ctx)
	if err != nil {
		return nil, err
	}
	subscriptions, err := s.account.Subscriptions(s.ctx)
	if err != nil {
		return nil, err
	}
	nodes := make([]node, 0, len(mailboxes)+len(subscriptions))
	at := make(map[string]int, len(mailboxes))
	put := func(name string) int {
		i, ok := at[name]
		if !ok {
			i = len(nodes)
			at[name] = i
			nodes = append(nodes, node{name: name})
		}
		return i
	}
	for _, m := range mailboxes {
		i := put(m.Name)
		nodes[i].box, nodes[i].exists, nodes[i].children = m, true, m.HasChildren
		// Levels that are no mailboxes are there for the mailboxes below them. RFC 9051 6.3.9
		for above := parent(m.Name); above != ""; above = parent(above) {
			nodes[put(above)].children = true
		}
	}
	for _, name := range subscriptions {
		nodes[put(name)].subscribed = true
		// A subscription without a mailbox may be all there is below a level. RFC 5258 5 (example 9)
		for above := parent(name); above != ""; above = parent(above) {
			put(above)
		}
	}
	slices.SortFunc(nodes, func(a, b node) int { return compareNames(a.name, b.name) })
	return nodes, nil
}

// compareNames puts INBOX first, and what is below a name directly behind it.
func compareNames(a, b string) int {
	if inboxA, inboxB := below("INBOX", a), below("INBOX", b); inboxA != inboxB {
		if inboxA {
			return -1
		}
		return 1
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			if a[i] == '/' {
				return -1
			}
			if b[i] == '/' {
				return 1
			}
			return int(a[i]) - int(b[i])
		}
	}
	return len(a) - len(b)
}

// below tells whether name is root or under it.
func below(root, name string) bool {
	return strings.HasPrefix(name, root) && (len(name) == len(root) || name[len(root)] == '/')
}

// parent is the name one level up, "" at the top.
func parent(name string) string {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return ""
	}
	return name[:i]
}

// chosen tells whether a name meets the selection options. RFC 5258 3.1
func (n *node) chosen(o grammar.ListSelect) bool {
	if o&grammar.ListSelectSubscribed != 0 && !n.subscribed {
		return false
	}
	if o&grammar.ListSelectSpecialUse != 0 && n.box.SpecialUse == "" { // RFC 6154 2
		return false
	}
	if o&grammar.ListSelectSubscribed != 0 {
		return true
	}
	return n.exists || n.children // a dead subscription is shown only to who asks for subscriptions
}

// childInfo tells whether mailboxes below a name meet the selection options without being listed themselves.
// RFC 5258 3.5, 4 (CHILDINFO)
func childInfo(tree []node, i int, o grammar.ListSelect, patterns patterns) string {
	for j := i + 1; j < len(tree) && below(tree[i].name, tree[j].name); j++ {
		if tree[j].chosen(o) && !patterns.match(tree[j].name) {
			if o&grammar.ListSelectSubscribed != 0 {
				return ` ("CHILDINFO" ("SUBSCRIBED"))`
			}
			return ` ("CHILDINFO" ("SPECIAL-USE"))`
		}
	}
	return ""
}

// attributes are what LIST says of a name. RFC 9051 7.3.1
func (n *node) attributes(c *grammar.List) []string {
	var attrs []string
	switch {
	case !n.exists && c.Select&^grammar.ListSelectRemote == 0 && !c.Extended:
		attrs = append(attrs, `\Noselect`) // what clients without LIST-EXTENDED know
	case !n.exists:
		attrs = append(attrs, `\NonExistent`)
	case n.box.NoSelect:
		attrs = append(attrs, `\Noselect`)
	}
	if n.subscribed && (c.Select&grammar.ListSelectSubscribed != 0 || c.Return&grammar.ListReturnSubscribed != 0) {
		attrs = append(attrs, `\Subscribed`)
	}
	if n.children {
		attrs = append(attrs, `\HasChildren`)
	} else {
		attrs = append(attrs, `\HasNoChildren`)
	}
	if n.box.SpecialUse != "" {
		attrs = append(attrs, n.box.SpecialUse)
	}
	return attrs
}

// attributes are those of one mailbox, for SELECT.
func attributes(m store.Mailbox) []string {
	n := node{box: m, exists: true, children: m.HasChildren}
	return n.attributes(&grammar.List{})
}

// sayListed appends a LIST or LSUB response. RFC 9051 7.3.1
func (s *session) sayListed(verb string, attrs []string, name, extended string) {
	b := append(s.buffer(), "* "...)
	b = append(b, verb...)
	b = append(b, ' ')
	b = grammar.AppendFlags(b, attrs)
	b = append(b, ` "/" `...)
	b = grammar.AppendMailbox(b, name, s.rev2)
	b = append(b, extended...)
	s.out.buf = append(b, "\r\n"...)
}

// patterns are those of one command, with its reference in front.
type patterns []*grammar.Pattern

func compilePatterns(reference string, texts []string) patterns {
	p := make(patterns, len(texts))
	for i, text := range texts {
		p[i] = grammar.CompilePattern(reference + text)
	}
	return p
}

func (p patterns) match(name string) bool {
	for _, pattern := range p {
		if pattern.Match(name) {
			return true
		}
	}
	return false
}

// lsub is LSUB: subscriptions, whether or not the mailboxes exist. RFC 3501 6.3.9
func (s *session) lsub(c *grammar.Lsub) answer {
	if c.Pattern == "" {
		s.sayListed("LSUB", []string{`\Noselect`}, "", "")
		return ok()
	}
	subscriptions, err := s.account.Subscriptions(s.ctx)
	if err != nil {
		return s.failed(err)
	}
	pattern := grammar.CompilePattern(c.Reference + c.Pattern)
	subscribed := make(map[string]bool, len(subscriptions))
	for _, name := range subscriptions {
		subscribed[name] = true
	}
	shown := make(map[string]bool)
	slices.SortFunc(subscriptions, compareNames)
	for _, name := range subscriptions {
		if pattern.Match(name) {
			s.sayListed("LSUB", nil, name, "")
			continue
		}
		// With "%" a level above a subscription stands for it. RFC 3501 6.3.9
		if !strings.HasSuffix(c.Pattern, "%") {
			continue
		}
		for above := parent(name); above != ""; above = parent(above) {
			if !subscribed[above] && !shown[above] && pattern.Match(above) {
				shown[above] = true
				s.sayListed("LSUB", []string{`\Noselect`}, above, "")
			}
		}
		s.more()
	}
	return ok()
}
