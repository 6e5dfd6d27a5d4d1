package sieve

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
)

const suiteExtension = "vnd.dovecot.testsuite"

// words are those of vnd.dovecot.testsuite, as they work in this lab.
func (l *lab) words() []word {
	numbered := []tag{{name: "index", takes: aNumber}}
	source := []tag{{name: "smtp", group: "source"}, {name: "folder", takes: aText, group: "source"}}
	nowhere := []tag{{name: "mailbox", takes: aText}}
	list := []word{
		{name: "test", args: []parameter{{aText, "name"}}, block: true, command: l.compileCase},
		{name: "test_fail", args: []parameter{{aText, "reason"}}, command: l.compileFail},
		{name: "test_set", args: []parameter{{aText, "object"}, {aText, "value"}}, command: l.compileSet},
		{name: "test_script_compile", args: []parameter{{aText, "script"}}, test: l.compileScriptCompile},
		{name: "test_script_run", tags: []tag{{name: "append_result"}}, test: l.compileScriptRun},
		{name: "test_multiscript", args: []parameter{{aList, "scripts"}}, test: l.compileMultiscript},
		{name: "test_error", tags: with(matchTags, numbered), args: []parameter{{aList, "key list"}}, test: l.compileError},
		{name: "test_result_action", tags: with(matchTags, numbered), args: []parameter{{aList, "key list"}}, test: l.compileResultAction},
		{name: "test_result_execute", test: l.holds(func(m *machine, _ *use) (bool, error) { return l.execute(m), nil })},
		{name: "test_result_reset", command: l.does(func(m *machine, _ *use) error { l.reset(m); return nil })},
		{name: "test_result_print", command: l.does(func(m *machine, _ *use) error { l.t.Logf("actions: %+v", m.result.actions); return nil })},
		{name: "test_message_print", command: l.does(func(*machine, *use) error { l.t.Logf("message:\n%s", l.message.content); return nil })},
		{name: "test_message", tags: source, args: []parameter{{aNumber, "index"}}, command: l.compileMessageCommand},
		{name: "test_message", tags: source, args: []parameter{{aNumber, "index"}}, test: l.compileMessageTest},
		{name: "test_mailbox", args: []parameter{{aText, "mailbox"}}, test: l.holds(func(m *machine, u *use) (bool, error) {
			return l.mailboxes[mailboxKey(u.args[0].text().in(m))] != nil, nil
		})},
		{name: "test_mailbox_create", args: []parameter{{aText, "mailbox"}}, command: l.does(func(m *machine, u *use) error {
			return l.create(u.args[0].text().in(m))
		})},
		{name: "test_mailbox_delete", args: []parameter{{aText, "mailbox"}}, command: l.does(func(m *machine, u *use) error {
			delete(l.mailboxes, mailboxKey(u.args[0].text().in(m)))
			return nil
		})},
		{name: "test_config_set", args: []parameter{{aText, "setting"}, {aText, "value"}}, command: l.does(func(m *machine, u *use) error {
			l.pending[u.args[0].text().in(m)] = u.args[1].text().in(m)
			return nil
		})},
		{name: "test_config_unset", args: []parameter{{aText, "setting"}}, command: l.does(func(m *machine, u *use) error {
			delete(l.pending, u.args[0].text().in(m))
			return nil
		})},
		{name: "test_config_reload", tags: []tag{{name: "extension", takes: aText}}, command: l.does(func(m *machine, _ *use) error {
			l.config = maps.Clone(l.pending)
			l.configure(m)
			return nil
		})},
		{name: "test_imap_metadata_set", tags: nowhere, args: []parameter{{aText, "annotation"}, {aText, "value"}},
			command: l.does(func(m *machine, u *use) error {
				mailbox := ""
				if v := u.tags["mailbox"]; v != nil {
					mailbox = mailboxKey(v.text().in(m))
				}
				l.metadata[[2]string{mailbox, strings.ToLower(u.args[0].text().in(m))}] = u.args[1].text().in(m)
				return nil
			})},
		{name: "test_binary_save", args: []parameter{{aText, "binary"}}, command: l.does(func(*machine, *use) error { return nil })},
		{name: "test_binary_load", args: []parameter{{aText, "binary"}}, command: l.does(func(*machine, *use) error { return nil })},
	}
	for i := range list {
		list[i].from = suiteExtension
	}
	return append(list, word{name: "debug_log", from: "vnd.dovecot.debug", args: []parameter{{aText, "message"}},
		command: l.does(func(m *machine, u *use) error { l.t.Log(u.args[0].text().in(m)); return nil })})
}

// does and holds make words of functions that need no look at their use before they run.
func (l *lab) does(do func(*machine, *use) error) func(*compiler, *use) func(*machine) error {
	return func(_ *compiler, u *use) func(*machine) error { return func(m *machine) error { return do(m, u) } }
}

func (l *lab) holds(test func(*machine, *use) (bool, error)) func(*compiler, *use) func(*machine) (bool, error) {
	return func(_ *compiler, u *use) func(*machine) (bool, error) {
		return func(m *machine) (bool, error) { return test(m, u) }
	}
}

func (l *lab) compileCase(_ *compiler, u *use) func(*machine) error {
	return func(m *machine) error {
		l.run(m, u.args[0].text().in(m), u.block)
		return nil
	}
}

func (l *lab) compileFail(_ *compiler, u *use) func(*machine) error {
	return func(m *machine) error { return caseFailed{u.args[0].text().in(m)} }
}

func (l *lab) compileSet(c *compiler, u *use) func(*machine) error {
	return func(m *machine) error {
		value := u.args[1].text().in(m)
		switch what := u.args[0].text().in(m); what {
		case "message":
			return l.show(m, labMail{content: []byte(value)})
		case "envelope.from":
			m.mail.From, _ = envelopePath(value)
		case "envelope.to":
			m.mail.To, _ = envelopePath(value)
			m.mail.OriginalTo = m.mail.To
		case "envelope.orig_to":
			m.mail.OriginalTo, _ = envelopePath(value)
		case "envelope.auth":
			m.mail.Auth = value
		default:
			return m.wrong("test_set knows no %q", what)
		}
		l.message.envelope = m.mail.Envelope
		return nil
	}
}

func (l *lab) compileScriptCompile(_ *compiler, u *use) func(*machine) (bool, error) {
	return func(m *machine) (bool, error) {
		l.errors = nil
		s, err := l.compileFile(u.args[0].text().in(m))
		if err != nil {
			l.errors = problemsOf(err)
			return false, nil
		}
		l.compiled = s
		return true, nil
	}
}

// compileFile compiles a script by its path from the folder of the test script.
func (l *lab) compileFile(path string) (*Script, error) {
	path = filepath.Join(l.dir, path)
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return l.compile(path, source)
}

func (l *lab) compileScriptRun(_ *compiler, u *use) func(*machine) (bool, error) {
	return func(m *machine) (bool, error) {
		l.errors = nil
		if l.compiled == nil {
			return false, m.wrong("no script was compiled that could be run")
		}
		if !u.has("append_result") {
			l.reset(m)
		}
		return l.runScript(m, l.compiled)
	}
}

// runScript runs another script for the same message and result.
func (l *lab) runScript(m *machine, s *Script) (bool, error) {
	sub := l.machine()
	sub.mail, sub.result = m.mail, m.result
	err := sub.next(s)
	m.mail, m.result = sub.mail, sub.result
	if failed, ok := err.(caseFailed); ok {
		return false, failed
	}
	for _, w := range m.result.warnings {
		l.errors = append(l.errors, w.Error())
	}
	m.result.warnings = nil
	if err != nil {
		l.errors = append(l.errors, err.Error())
	}
	return err == nil, nil
}

func (l *lab) compileMultiscript(_ *compiler, u *use) func(*machine) (bool, error) {
	return func(m *machine) (bool, error) {
		l.errors = nil
		l.reset(m)
		for _, path := range each(m, u.args[0].texts) {
			s, err := l.compileFile(path)
			if err != nil {
				l.errors = problemsOf(err)
				return false, nil
			}
			if ok, err := l.runScript(m, s); !ok || err != nil {
				return false, err
			}
			if !m.result.keeps() {
				break
			}
		}
		return l.execute(m), nil
	}
}

// picked gives all of a list, or the one that a test asks for by its number.
func picked(u *use, list []string) []string {
	v := u.tags["index"]
	switch {
	case v == nil:
		return list
	case v.number == 0 || v.number > uint64(len(list)):
		return nil
	}
	return list[v.number-1 : v.number]
}

func (l *lab) compileError(c *compiler, u *use) func(*machine) (bool, error) {
	match := c.matcher(u, &u.args[0])
	return func(m *machine) (bool, error) {
		list := picked(u, l.errors)
		if match.kind == "matches" { // these are Pigeonhole's words; that there is such an error counts
			return len(list) > 0, nil
		}
		return match.any(m, list, u.args[0].texts)
	}
}

func (l *lab) compileResultAction(c *compiler, u *use) func(*machine) (bool, error) {
	match := c.matcher(u, &u.args[0])
	return func(m *machine) (bool, error) {
		var names []string
		for _, a := range m.result.actions {
			name := string(a.Kind)
			if a.Kind == FileInto {
				name = "store"
			}
			names = append(names, name)
		}
		return match.any(m, picked(u, names), u.args[0].texts)
	}
}

func (l *lab) compileMessageTest(_ *compiler, u *use) func(*machine) (bool, error) {
	return func(m *machine) (bool, error) {
		list := l.outbox
		if v := u.tags["folder"]; v != nil {
			list = l.mailboxes[mailboxKey(v.text().in(m))]
		}
		if u.args[0].number >= uint64(len(list)) {
			return false, nil
		}
		return true, l.show(m, list[u.args[0].number])
	}
}

func (l *lab) compileMessageCommand(c *compiler, u *use) func(*machine) error {
	test := l.compileMessageTest(c, u)
	return func(m *machine) error {
		ok, err := test(m)
		if err == nil && !ok {
			return caseFailed{"there is no such message"}
		}
		return err
	}
}
