package grammar

// Error is a command that could not be read, with the answer it deserves:
// Append writes "tag BAD [CODE] text".
type Error struct {
	Tag     string // "" when not recoverable: the answer is untagged
	Command string // name as far as known, for logs
	No      bool   // answer NO instead of BAD: well-formed but refused
	Code    string // response code without brackets, such as "TOOBIG", or ""
	Text    string // fixed text of this package, never bytes of the client
	Unknown bool   // there is no such command
	Fatal   bool   // the next command cannot be found: answer, say BYE, close
}

func (e *Error) Error() string { return e.Text }

// Append writes the answer, with its CRLF, and the BYE of a Fatal one.
func (e *Error) Append(dst []byte) []byte {
	if e.Tag == "" {
		dst = append(dst, '*')
	} else {
		dst = append(dst, e.Tag...)
	}
	// RFC 9051 7.1: an untagged NO is a warning about something else, so without
	// a tag it is BAD.
	if e.No && e.Tag != "" {
		dst = append(dst, " NO "...)
	} else {
		dst = append(dst, " BAD "...)
	}
	if e.Code != "" {
		dst = append(dst, '[')
		dst = append(dst, e.Code...)
		dst = append(dst, "] "...)
	}
	dst = append(dst, e.Text...)
	dst = append(dst, "\r\n"...)
	if e.Fatal {
		dst = append(dst, "* BYE Closing the connection\r\n"...)
	}
	return dst
}
