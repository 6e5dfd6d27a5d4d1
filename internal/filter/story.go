package filter

import (
	"encoding/hex"

	"postern/internal/scripts"
	"postern/internal/verdict"
	"postern/sieve"
)

// story writes down how the scripts of a plan go, so that nobody has to guess later from scripts that have changed.
type story struct {
	verdict.Recorder
	plan *Plan
	// last is the script that the last step was of, number what it is in the record.
	last   told
	number int
}

// told is a script as an event of it names it.
type told struct {
	outer *sieve.Script
	relative
}

func (p *Plan) newStory() *story { return &story{plan: p, number: -1} }

// step notes one. The tests of an if say more than the if.
func (s *story) step(e sieve.Event) {
	if e.Name == "if" {
		return
	}
	if t := (told{e.Outer, relative{e.Script, e.Global}}); s.number < 0 || t != s.last {
		s.last, s.number = t, s.Script(s.plan.scriptOf(t))
	}
	s.Step(verdict.RunStep{Script: s.number, Line: e.Line, Name: e.Name, Test: e.Test, Holds: e.Holds})
}

// scriptOf says which script of the plan, or that one of these includes, is meant.
func (p *Plan) scriptOf(t told) verdict.RunScript {
	for i := range p.parts {
		one := &p.parts[i]
		if one.script != t.outer {
			continue
		}
		if m, included := one.members[t.relative]; included && (t.global || t.name != one.label) {
			return runScript(m.owner, m.name, m.version)
		}
		return runScript(one.owner, one.name, one.version)
	}
	return verdict.RunScript{Name: t.name}
}

func runScript(o scripts.Owner, name string, v scripts.Version) verdict.RunScript {
	s := verdict.RunScript{Name: name, Version: hex.EncodeToString(v[:8])}
	if o.Account != 0 {
		return s
	}
	s.Owner, s.Role = "server", "global"
	if o.Domain != "" {
		s.Owner = o.Domain
	}
	if o.Role != scripts.Own {
		s.Role = o.Role.String()
	}
	return s
}
