package sieve

import (
	"slices"
	"strings"
)

// flagWords are of imap4flags (RFC 5232).
var flagWords = []word{
	{name: "setflag", from: "imap4flags", args: flagArgs, optional: true, command: compileFlags(func(_, named []string) []string { return named })},
	{name: "addflag", from: "imap4flags", args: flagArgs, optional: true, command: compileFlags(addFlags)},
	{name: "removeflag", from: "imap4flags", args: flagArgs, optional: true, command: compileFlags(removeFlags)},
	{name: "hasflag", from: "imap4flags", tags: matchTags, args: []parameter{{aList, "variable list"}, {aList, "list of flags"}}, optional: true,
		test: compileHasFlag},
}

var flagArgs = []parameter{{aText, "variable name"}, {aList, "list of flags"}}

const (
	// maxFlags is how many flags there may be in one list. More are dropped, with a warning.
	maxFlags = 100
	// maxFlag is the longest name of a flag.
	maxFlag = 100
)

// compileFlags compiles a command that makes of the flags that there are and those that are named the new ones.
func compileFlags(change func(are, named []string) []string) func(*compiler, *use) func(*machine) error {
	return func(c *compiler, u *use) func(*machine) error {
		variable := c.flagVariable(u, &u.args[0])
		return func(m *machine) error {
			are, err := m.flagsOf(variable)
			if err != nil {
				return err
			}
			named, err := m.readFlags(each(m, u.args[1].texts))
			if err != nil {
				return err
			}
			if err := m.spend(1 + len(are)*len(named)/8); err != nil {
				return err
			}
			return m.setFlags(variable, change(slices.Clone(are), named))
		}
	}
}

// flagVariable gives the name of the variable that is meant, "" for the internal one (RFC 5232 3).
func (c *compiler) flagVariable(u *use, v *value) string {
	switch {
	case !v.given:
		return ""
	case !c.has("variables"):
		c.problem(v.Position, "the %s command with the name of a variable needs require \"variables\" at the top of the script", u.word.name)
		return ""
	case !v.text().isFixed():
		c.problem(v.Position, "no variable may stand in the name of a variable; write what it is to be")
		return ""
	}
	return c.variableName(v)
}

// flagsOf are the flags that a variable has, or the internal one.
func (m *machine) flagsOf(variable string) ([]string, error) {
	if variable == "" {
		return m.flagsNow(), nil
	}
	return m.readFlags([]string{m.variable(variable)})
}

func (m *machine) setFlags(variable string, flags []string) error {
	if len(flags) > maxFlags {
		m.warn("there are more than %d flags; the rest is dropped", maxFlags)
		flags = flags[:maxFlags]
	}
	if variable == "" {
		m.result.flags = append([]string{}, flags...) // not nil: the script said something of flags
		return nil
	}
	return m.set(variable, strings.Join(flags, " "))
}

// readFlags gives the flags that stand in texts, parted by spaces, each once. What is no flag that a message can be given is left
// out (RFC 5232 2).
func (m *machine) readFlags(texts []string) (flags []string, err error) {
	for _, text := range texts {
		if err := m.spend(bytesCost(len(text))); err != nil {
			return nil, err
		}
		for word := range strings.FieldsSeq(text) {
			if !isFlag(word) {
				continue
			}
			if len(flags) > maxFlags {
				return flags, nil
			}
			if err := m.spend(1 + len(flags)/8); err != nil {
				return nil, err
			}
			flags = addFlags(flags, []string{word})
		}
	}
	return flags, nil
}

// systemFlags are those that a client may set (RFC 9051 2.3.2).
var systemFlags = []string{`\Answered`, `\Deleted`, `\Draft`, `\Flagged`, `\Seen`}

// isFlag: a flag of the system, or a keyword, which is an atom (RFC 9051 9).
func isFlag(s string) bool {
	if strings.HasPrefix(s, `\`) {
		return slices.ContainsFunc(systemFlags, func(f string) bool { return strings.EqualFold(f, s) })
	}
	return s != "" && len(s) <= maxFlag && !strings.ContainsFunc(s, notInAtom)
}

func notInAtom(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r) }

// addFlags adds those that are not there yet; flags have no case (RFC 9051 2.3.2).
func addFlags(a, b []string) []string {
	for _, f := range b {
		if !slices.ContainsFunc(a, func(has string) bool { return strings.EqualFold(has, f) }) {
			a = append(a, f)
		}
	}
	return a
}

func removeFlags(a, b []string) []string {
	return slices.DeleteFunc(a, func(f string) bool {
		return slices.ContainsFunc(b, func(gone string) bool { return strings.EqualFold(gone, f) })
	})
}

// compileHasFlag asks for flags. A text with several flags asks for each of them, and one is enough (RFC 5232 4).
func compileHasFlag(c *compiler, u *use) func(*machine) (bool, error) {
	var variables []string
	for i := range u.args[0].texts {
		t := u.args[0].texts[i]
		variables = append(variables, c.flagVariable(u, &value{Position: t.Position, given: true, texts: []text{t}}))
	}
	if variables == nil {
		variables = []string{""}
	}
	keys := u.args[1]
	count := u.has("count")
	if !count {
		keys.texts = apart(keys.texts)
	}
	match := c.matcher(u, &keys)
	return func(m *machine) (bool, error) {
		var flags []string
		for _, v := range variables {
			more, err := m.flagsOf(v)
			if err != nil {
				return false, err
			}
			flags = append(flags, more...)
		}
		if err := m.spend(len(flags)); err != nil {
			return false, err
		}
		asked := keys.texts
		if match.fixed == nil && !count {
			asked = apartNow(m, keys.texts)
		}
		return match.any(m, flags, asked)
	}
}

// apart gives each flag of fixed texts a text of its own.
func apart(texts []text) (list []text) {
	for _, t := range texts {
		if !t.isFixed() {
			list = append(list, t)
			continue
		}
		for word := range strings.FieldsSeq(t.literal) {
			list = append(list, text{Position: t.Position, literal: word})
		}
	}
	return list
}

// apartNow does so with what variables hold.
func apartNow(m *machine, texts []text) (list []text) {
	for _, t := range texts {
		list = append(list, apart([]text{{Position: t.Position, literal: t.in(m)}})...)
	}
	return list
}

// flags are those that a keep or fileinto gives: its own, or those of the internal variable (RFC 5232 5).
func (m *machine) flags(u *use) ([]string, error) {
	v := u.tags["flags"]
	if v == nil {
		return slices.Clone(m.flagsNow()), nil
	}
	flags, err := m.readFlags(each(m, v.texts))
	return append([]string{}, flags...), err
}

// flagsNow are those of the internal variable, which has those of the message until a script says something else; nil for none.
func (m *machine) flagsNow() []string {
	if m.result.flags == nil {
		return m.mail.Flags
	}
	return m.result.flags
}
