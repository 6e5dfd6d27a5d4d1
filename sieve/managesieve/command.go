package managesieve

// kind is what an argument is.
type kind uint8

const (
	aName   kind = iota + 1 // a string: the name of a script or something else that is short
	aScript                 // a string: a script
	aNumber
)

// state is when a command may be given.
type state uint8

const (
	always state = iota
	beforeLogin
	afterLogin
)

// command is what a command takes and what runs it.
type command struct {
	name    string
	takes   []kind
	least   int // how many of them must be there
	when    state
	run     func(*session, []argument) answer
	unknown bool
}

// argument is the kind of the n-th argument; none for those that the command does not take.
func (c *command) argument(n int) kind {
	if n < len(c.takes) {
		return c.takes[n]
	}
	return 0
}

// commandOf finds a command by its name in capitals. RFC 5804 2
func commandOf(name string) command {
	script := func(run func(*session, []argument) answer, takes ...kind) command {
		return command{name: name, takes: takes, least: len(takes), when: afterLogin, run: run}
	}
	switch name {
	case "AUTHENTICATE":
		return command{name: name, takes: []kind{aName, aName}, least: 1, when: beforeLogin, run: (*session).authenticate}
	case "STARTTLS":
		return command{name: name, when: beforeLogin, run: (*session).startTLS}
	case "CAPABILITY":
		return command{name: name, run: (*session).capability}
	case "NOOP":
		return command{name: name, takes: []kind{aName}, run: (*session).noop}
	case "LOGOUT":
		return command{name: name, run: (*session).logout}
	case "UNAUTHENTICATE":
		return script((*session).unauthenticate)
	case "HAVESPACE":
		return script((*session).haveSpace, aName, aNumber)
	case "PUTSCRIPT":
		return script((*session).putScript, aName, aScript)
	case "CHECKSCRIPT":
		return script((*session).checkScript, aScript)
	case "LISTSCRIPTS":
		return script((*session).listScripts)
	case "SETACTIVE":
		return script((*session).setActive, aName)
	case "GETSCRIPT":
		return script((*session).getScript, aName)
	case "DELETESCRIPT":
		return script((*session).deleteScript, aName)
	case "RENAMESCRIPT":
		return script((*session).renameScript, aName, aName)
	}
	return command{name: "unknown", unknown: true}
}

// fits tells whether a request has the arguments that its command takes. All of it was read, so the session goes on.
func (r *request) fits() error {
	if r.command.unknown {
		return &misspelt{text: "There is no such command"}
	}
	if len(r.args) < r.command.least || len(r.args) > len(r.command.takes) {
		return &misspelt{text: r.command.name + " takes other arguments"}
	}
	for i, a := range r.args {
		if a.number != (r.command.takes[i] == aNumber) {
			return &misspelt{text: r.command.name + " takes other arguments"}
		}
	}
	return nil
}

// execute runs a command, if its time has come.
func (s *session) execute(r request) answer {
	switch {
	case r.command.when == beforeLogin && s.account != 0:
		return no("", "You are logged in already")
	case r.command.when == afterLogin && s.account == 0:
		return no("", "Please log in first")
	}
	for i, a := range r.args {
		switch {
		case a.excess > 0 && r.command.takes[i] == aScript:
			return no(codeMaxSize, tooLong(a.excess, s.limits.ScriptBytes))
		case a.excess > 0:
			return no("", "The argument is too long")
		}
	}
	return r.command.run(s, r.args)
}

// noop answers, with the client's tag if there is one, by which it finds its place among the answers. RFC 5804 2.13
func (s *session) noop(args []argument) answer {
	a := ok("Done")
	if len(args) > 0 {
		a.code = "TAG " + string(appendString(nil, string(args[0].data)))
	}
	return a
}

// logout ends the session; what the client sent behind it is not read. RFC 5804 2.3
func (s *session) logout([]argument) answer {
	s.over = true
	return ok("Goodbye")
}
