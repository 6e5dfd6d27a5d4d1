package autoreply

import (
	"io"
	"strings"

	"postern/internal/message"
)

// byAuthor looks at the header's own senders.
func byAuthor(m *message.Message, _ io.ReaderAt) (Kind, string) {
	for _, list := range [][]message.Mailbox{m.Envelope.From, m.Envelope.Sender} {
		for _, a := range list {
			if a.Kind != message.IsAddress {
				continue
			}
			if kind := localKind(a.Local); kind != Personal {
				return kind, "the sender is " + clip(a.Local)
			}
			if kind := nameKind(message.DecodeHeader(a.Name)); kind != Personal {
				return kind, "the sender is called " + clip(a.Name)
			}
		}
	}
	for _, name := range []string{"Return-Path", "Errors-To"} {
		for _, f := range m.Header.All(name) {
			for _, a := range message.ParseAddressList(f.Value(), 1) {
				if kind := localKind(a.Local); kind != Personal {
					return kind, name + " is " + clip(a.Local)
				}
			}
		}
	}
	return Personal, ""
}

// localKind tells who cannot be a person, by the local part of an address (RFC 5230 4.6 and custom).
func localKind(local string) Kind {
	local = unwrap(strings.ToLower(local))
	squeezed := strings.NewReplacer("-", "", "_", "", ".", "", "+", "").Replace(local)
	switch squeezed {
	case "mailerdaemon", "maildaemon", "postmaster", "mailmaster", "mdaemon", "mailsystem", "mailadministrator":
		return Bounce
	case "listserv", "listproc", "majordomo", "mailman", "sympa", "ecartis":
		return List
	case "nobody", "daemon", "autoreply", "autoresponder", "autoresponse":
		return Automatic
	}
	if strings.HasPrefix(squeezed, "mailerdaemon") || strings.HasPrefix(local, "postmaster+") || strings.HasPrefix(squeezed, "doublebounce") {
		return Bounce
	}
	for _, part := range []string{"noreply", "donotreply", "dontreply", "noresponder", "nepasrepondre", "nichtantworten", "keineantwort"} {
		if strings.Contains(squeezed, part) {
			return Automatic
		}
	}
	for _, prefix := range []string{"owner-", "bounce-", "bounces-", "bounce+", "bounces+", "bounce.", "bounces.", "bounce=", "return-", "errors-to-"} {
		if strings.HasPrefix(local, prefix) {
			return List
		}
	}
	for _, ending := range []string{"-request", "-owner", "-bounces", "-bounce", "-return", "-errors", "-listserv"} {
		if strings.HasSuffix(local, ending) {
			return List
		}
	}
	if local == "bounce" || local == "bounces" || strings.Contains(local, "-bounces+") || strings.Contains(local, "-return-") || isVERP(local) {
		return List
	}
	return Personal
}

// unwrap gives the local part that was rewritten to carry it through a forwarder (SRS) or to prove bounces (BATV).
func unwrap(local string) string {
	for _, prefix := range []string{"srs0=", "srs0+", "srs0-", "srs1=", "srs1+", "srs1-"} {
		if strings.HasPrefix(local, prefix) {
			// SRS0=hash=time=domain=local, SRS1=hash=domain==hash=time=domain=local
			return local[strings.LastIndexByte(local, '=')+1:]
		}
	}
	if rest, ok := strings.CutPrefix(local, "prvs="); ok {
		_, rest, _ = strings.Cut(rest, "=")
		return rest
	}
	return local
}

// isVERP reports whether an address has another one in it, "list-return-7-bob=example.org": the receiver's, which senders in
// bulk put there to know whose mail bounced.
func isVERP(local string) bool {
	i := strings.LastIndexByte(local, '=')
	if i <= 0 || i == len(local)-1 {
		return false
	}
	host := local[i+1:]
	dot := strings.IndexByte(host, '.')
	if dot <= 0 || dot == len(host)-1 || !strings.ContainsAny(local[:i], "+-") {
		return false
	}
	for _, c := range host {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-') {
			return false
		}
	}
	return true
}

// names are those that mail systems call themselves.
var names = []string{
	"mailer-daemon", "mailer daemon", "mail delivery s", "mail delivery agent", "mail delivery problem", "mail administrator", "mail system",
	"postmaster", "internet mail delivery", "email delivery", "delivery subsystem", "delivery status", "system administrator",
	"mail server daemon", "mail deliver system", "e-mail delivery", "courier mail server", "interscan", "systemadministrator",
	"administrateur système", "mail router", "majordomo", "listserv",
}

func nameKind(name string) Kind {
	name = strings.ToLower(strings.TrimSpace(name))
	for _, n := range names {
		if strings.HasPrefix(name, n) {
			return Bounce
		}
	}
	return Personal
}
