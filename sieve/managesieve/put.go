package managesieve

import (
	"errors"
	"fmt"

	"postern/internal/scripts"
)

// The codes of what exceeds a quota. RFC 5804 1.3
const (
	codeMaxScripts = "QUOTA/MAXSCRIPTS"
	codeMaxSize    = "QUOTA/MAXSIZE"
)

func tooLong(size, most int64) string {
	return fmt.Sprintf("The script has %d bytes and %d are allowed; make it shorter", size, most)
}

// haveSpace is HAVESPACE. RFC 5804 2.5
func (s *session) haveSpace(args []argument) answer {
	size, valid := parseNumber(args[1].data)
	if !valid {
		return no("", "The size is a number below 4294967296")
	}
	if err := s.srv.Scripts.HaveSpace(s.ctx, s.owner(), string(args[0].data), size); err != nil {
		return s.failed(err)
	}
	return ok("There is room for it")
}

// putScript is PUTSCRIPT. Whether there is room is asked first: it costs less than reading a script. RFC 5804 2.6
func (s *session) putScript(args []argument) answer {
	name, script := string(args[0].data), args[1].data
	if err := s.srv.Scripts.HaveSpace(s.ctx, s.owner(), name, int64(len(script))); err != nil {
		return s.failed(err)
	}
	a := s.check(name, script, "The script is stored")
	if a.status != "OK" {
		return a
	}
	if err := s.srv.Scripts.Put(s.ctx, s.owner(), name, script); err != nil {
		return s.failed(err)
	}
	s.log().Info("managesieve script stored", "script", name, "bytes", len(script))
	return a
}

// checkScript is CHECKSCRIPT. RFC 5804 2.12
func (s *session) checkScript(args []argument) answer {
	return s.check("", args[0].data, "The script is in order")
}

// check has a script read and tells what is wrong or doubtful about it.
func (s *session) check(name string, script []byte, fine string) answer {
	mistakes, warnings, err := s.srv.Compiler.Check(s.ctx, s.owner(), name, script)
	switch {
	case err != nil:
		s.log().Error("managesieve check", "error", err)
		return tryLater()
	case len(mistakes) > 0:
		return no("", lines(mistakes...))
	case len(warnings) > 0:
		return answer{status: "OK", code: "WARNINGS", text: lines(warnings...)}
	}
	return ok(fine)
}

// failed is the answer to what the store of scripts refused, or could not do.
func (s *session) failed(err error) answer {
	for _, refusal := range []struct {
		kind error
		code string
	}{
		{scripts.ErrNotFound, "NONEXISTENT"},
		{scripts.ErrExists, "ALREADYEXISTS"},
		{scripts.ErrActive, "ACTIVE"},
		{scripts.ErrTooMany, codeMaxScripts},
		{scripts.ErrTooLarge, codeMaxSize},
		{scripts.ErrNoSpace, "QUOTA"},
		{scripts.ErrName, ""},
	} {
		if errors.Is(err, refusal.kind) {
			return no(refusal.code, lines(err.Error()))
		}
	}
	s.log().Error("managesieve scripts", "error", err)
	if errors.Is(err, scripts.ErrDamaged) {
		return no("", "The stored script is damaged; put it anew")
	}
	return tryLater()
}
