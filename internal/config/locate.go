package config

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// locate finds the line of each key ("listen.smtp") and of each element of a list ("listen.smtp[1]"), so that a value
// which parses but makes no sense is reported where it stands. The text has been decoded without error before.
func locate(text []byte) map[string]int {
	l := &locator{text: text, lines: make(map[string]int)}
	l.parser.Reset(text)
	table := ""
	for l.parser.NextExpression() {
		node := l.parser.Expression()
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			name, offset := keyOf(node)
			table = name + "."
			l.note(name, offset)
		case unstable.KeyValue:
			l.keyValue(table, node)
		}
	}
	return l.lines
}

type locator struct {
	parser unstable.Parser
	text   []byte
	lines  map[string]int
	// The line of seen bytes is counted once: offsets mostly grow.
	seen, line int
}

func (l *locator) keyValue(prefix string, node *unstable.Node) {
	name, offset := keyOf(node)
	name = prefix + name
	l.note(name, offset)
	value := node.Value()
	switch value.Kind {
	case unstable.InlineTable:
		for it := value.Children(); it.Next(); {
			l.keyValue(name+".", it.Node())
		}
	case unstable.Array:
		i := 0
		for it := value.Children(); it.Next(); i++ {
			if element := it.Node(); element.Raw.Length > 0 {
				l.note(fmt.Sprintf("%s[%d]", name, i), element.Raw.Offset)
			}
		}
	}
}

func (l *locator) note(name string, offset uint32) {
	at := int(offset)
	if at < l.seen {
		l.seen, l.line = 0, 0
	}
	l.line += bytes.Count(l.text[l.seen:at], []byte{'\n'})
	l.seen = at
	l.lines[name] = l.line + 1
}

// keyOf gives the dotted key of a table or key-value and where it starts.
func keyOf(node *unstable.Node) (name string, offset uint32) {
	var parts []string
	for it := node.Key(); it.Next(); {
		if len(parts) == 0 {
			offset = it.Node().Raw.Offset
		}
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, "."), offset
}
