package smtp

import (
	"strings"
)

// verb is a command's name as the engine knows it; "" for one it does not.
type verb string

const (
	verbHELO     verb = "HELO"
	verbEHLO     verb = "EHLO"
	verbSTARTTLS verb = "STARTTLS"
	verbAUTH     verb = "AUTH"
	verbMAIL     verb = "MAIL"
	verbRCPT     verb = "RCPT"
	verbDATA     verb = "DATA"
	verbBDAT     verb = "BDAT"
	verbRSET     verb = "RSET"
	verbNOOP     verb = "NOOP"
	verbQUIT     verb = "QUIT"
	verbVRFY     verb = "VRFY"
	verbEXPN     verb = "EXPN"
	verbHELP     verb = "HELP"
	// verbRetired are commands that other servers may know (TURN, ETRN, SEND …): 502 rather than 500.
	verbRetired verb = "retired"
	// verbForeign are the first words of other protocols.
	verbForeign verb = "foreign"
	verbUnknown verb = "other"
)

// maxVerb is longer than any word that means something here.
const maxVerb = 12

// parseCommand splits a command line into its verb and what follows the space behind it (RFC 5321 2.4, 4.1.1). The
// argument keeps its inner spaces and loses trailing ones, which RFC 5321 4.1.1 asks receivers to tolerate.
func parseCommand(line []byte) (verb, string) {
	var upper [maxVerb]byte
	n := 0
	for n < len(line) && line[n] != ' ' {
		if n == maxVerb {
			return verbUnknown, ""
		}
		upper[n] = line[n]
		if 'a' <= line[n] && line[n] <= 'z' {
			upper[n] -= 'a' - 'A'
		}
		n++
	}
	v := lookupVerb(upper[:n])
	if n == len(line) {
		return v, ""
	}
	return v, strings.TrimRight(string(line[n+1:]), " ")
}

func lookupVerb(word []byte) verb {
	switch v := verb(word); v {
	case "MAIL":
		return verbMAIL
	case "RCPT":
		return verbRCPT
	case "DATA":
		return verbDATA
	case "BDAT":
		return verbBDAT
	case "EHLO":
		return verbEHLO
	case "HELO":
		return verbHELO
	case "QUIT":
		return verbQUIT
	case "RSET":
		return verbRSET
	case "NOOP":
		return verbNOOP
	case "AUTH":
		return verbAUTH
	case "STARTTLS":
		return verbSTARTTLS
	case "VRFY":
		return verbVRFY
	case "EXPN":
		return verbEXPN
	case "HELP":
		return verbHELP
	case "TURN", "ETRN", "ATRN", "SEND", "SOML", "SAML", "XCLIENT", "XFORWARD", "BURL":
		return verbRetired
	case "GET", "POST", "PUT", "HEAD", "OPTIONS", "PATCH", "DELETE", "CONNECT", "TRACE", "PRI", // HTTP
		"HOST:", "USER-AGENT:", "COOKIE:", "ACCEPT:", "REFERER:", "ORIGIN:",
		"USER", "PASS", "NICK", "JOIN", // FTP, POP3, IRC
		"PROXY", "LHLO":
		return verbForeign
	}
	return verbUnknown
}

// lineLimit is how long a line with this verb may be, CR LF included.
func (v verb) lineLimit() int {
	switch v {
	case verbMAIL, verbRCPT:
		return maxMailLine
	case verbAUTH:
		return maxAuthLine
	}
	return maxCommandLine
}

// cutPrefixFold cuts an ASCII prefix in any case.
func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// pathAfter gives what stands behind "FROM:" or "TO:". RFC 5321 3.3 has no space there; programs that write one are many,
// and it can be misread by nobody.
func pathAfter(arg, keyword string) (string, bool) {
	path, ok := cutPrefixFold(arg, keyword)
	path = strings.TrimLeft(path, " ")
	return path, ok && strings.HasPrefix(path, "<")
}
