package imap

import (
	"strconv"
	"strings"

	"postern/imap/grammar"
	"postern/internal/sasl"
)

// beforeLogin is what applies to a client that has not logged in; the mechanisms come behind it.
const beforeLogin = "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ID"

// afterLogin is what applies to a user; APPENDLIMIT's figure comes behind it.
const afterLogin = "IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE IDLE NAMESPACE UNSELECT UIDPLUS MOVE CHILDREN LIST-EXTENDED " +
	"LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE STATUS=SIZE ESEARCH SEARCHRES BINARY MULTIAPPEND CONDSTORE QRESYNC " +
	"QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE COMPRESS=DEFLATE WITHIN METADATA"

// capabilities is what the session offers in its state. RFC 9051 6.1.1, 7.2.2
func (s *session) capabilities() string {
	if s.account != nil {
		all := afterLogin + " APPENDLIMIT=" + strconv.FormatInt(s.limits.MessageBytes, 10)
		if s.srv.ScriptsAt != "" {
			all += " IMAPSIEVE=" + s.srv.ScriptsAt // RFC 6785 2.1
		}
		return all
	}
	state := s.conn.ConnectionState()
	var b strings.Builder
	b.WriteString(beforeLogin)
	for _, mechanism := range sasl.Mechanisms(&state, s.limits.OfferPlus) {
		if mechanism != sasl.Login { // not a registered mechanism; for SMTP's old clients
			b.WriteString(" AUTH=" + mechanism)
		}
	}
	return b.String()
}

// greet starts the conversation. RFC 9051 7.1.1
func (s *session) greet() {
	text := "Postern ready"
	if s.srv.Hostname != "" {
		text = s.srv.Hostname + " " + text
	}
	s.sayOK("CAPABILITY "+s.capabilities(), text)
}

// enable turns on what changes the server's answers. RFC 9051 6.3.1, RFC 7162 3.1.1, 3.2.3
func (s *session) enable(c *grammar.Enable) answer {
	b := append(s.buffer(), "* ENABLED"...)
	for _, name := range c.Capabilities {
		switch name {
		case "IMAP4REV2":
			name = "IMAP4rev2" // as CAPABILITY spells it: some clients compare byte by byte
			s.rev2 = true
			s.reader.SetUTF8(true)
		case "CONDSTORE":
			s.condStore = true
		case "QRESYNC":
			s.condStore, s.qresync = true, true
		default:
			continue // unknown ones are ignored
		}
		b = append(b, ' ')
		b = append(b, name...)
	}
	s.out.buf = append(b, "\r\n"...)
	return ok()
}

// id tells who we are and notes who the client is. RFC 2971
func (s *session) id(c *grammar.ID) answer {
	if len(c.Fields) > 0 {
		attrs := make([]any, 0, 8)
		for _, f := range c.Fields {
			switch name := strings.ToLower(f.Name); name {
			case "name", "version", "os":
				attrs = append(attrs, name, f.Value[:min(len(f.Value), 100)])
			}
		}
		s.log().Debug("imap client", attrs...)
	}
	b := append(s.buffer(), `* ID ("name" "Postern"`...)
	if s.srv.Version != "" && s.account != nil {
		b = append(b, ` "version" `...)
		b = grammar.AppendString(b, s.srv.Version, false)
	}
	s.out.buf = append(b, ")\r\n"...)
	return ok()
}
