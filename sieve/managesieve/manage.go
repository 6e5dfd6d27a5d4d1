package managesieve

// listScripts is LISTSCRIPTS. RFC 5804 2.7
func (s *session) listScripts([]argument) answer {
	list, err := s.srv.Scripts.List(s.ctx, s.owner())
	if err != nil {
		return s.failed(err)
	}
	for _, script := range list {
		s.say(func(b []byte) []byte {
			b = appendString(b, script.Name)
			if script.Active {
				b = append(b, " ACTIVE"...)
			}
			return append(b, "\r\n"...)
		})
	}
	return ok("Listscripts completed")
}

// setActive is SETACTIVE; the empty name activates none. RFC 5804 2.8
func (s *session) setActive(args []argument) answer {
	name := string(args[0].data)
	if err := s.srv.Scripts.SetActive(s.ctx, s.owner(), name); err != nil {
		return s.failed(err)
	}
	s.log().Info("managesieve script activated", "script", name)
	if name == "" {
		return ok("No script is active now")
	}
	return ok("The script is active now")
}

// getScript is GETSCRIPT. RFC 5804 2.9
func (s *session) getScript(args []argument) answer {
	script, err := s.srv.Scripts.Get(s.ctx, s.owner(), string(args[0].data))
	if err != nil {
		return s.failed(err)
	}
	s.say(func(b []byte) []byte { return append(appendLiteral(b, script.Content), "\r\n"...) })
	return ok("Getscript completed")
}

// deleteScript is DELETESCRIPT. RFC 5804 2.10
func (s *session) deleteScript(args []argument) answer {
	name := string(args[0].data)
	if err := s.srv.Scripts.Delete(s.ctx, s.owner(), name); err != nil {
		return s.failed(err)
	}
	s.log().Info("managesieve script deleted", "script", name)
	return ok("The script is deleted")
}

// renameScript is RENAMESCRIPT. RFC 5804 2.11
func (s *session) renameScript(args []argument) answer {
	from, to := string(args[0].data), string(args[1].data)
	if err := s.srv.Scripts.Rename(s.ctx, s.owner(), from, to); err != nil {
		return s.failed(err)
	}
	s.log().Info("managesieve script renamed", "script", from, "to", to)
	return ok("The script has its new name")
}
