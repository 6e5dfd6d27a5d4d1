package grammar

// Error is a command that could not be read, with the answer it deserves:
// Append writes "tag BAD [CODE] text".
type Error struct {
	Tag     string // "" when not recoverable: the answer is untagged
	Command string // name as far as known, for logs
	No      bool   // answer NO instead of BAD: well-formed but refused
	Code    string // response code without brackets, such as "TOOBIG", or ""
	Text    string
	Unknown bool // there is no such command
	Fatal   bool // the next command cannot be found: answer with BYE and close
}

func (e *Error) Error() string { return e.Text }

// Append writes the answer, with its CRLF.
func (e *Error) Append(dst []byte) []byte { panic("not yet") }
