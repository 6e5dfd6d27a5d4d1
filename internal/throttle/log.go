package throttle

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestLogin is how much of a claimed login goes into the log, in characters.
const longestLogin = 128

// LogFailure writes a failed login in the form that contrib/fail2ban/filter.d/postern.conf reads and that does not
// change: level WARN, message "auth failed", then service, remote, login and reason, in this order.
//
//	time=2026-01-02T15:04:05.000Z level=WARN msg="auth failed" service=submission remote=192.0.2.1 login=alice@example.test reason=credentials
//
// Service and reason are words of ours, such as "imap" and "credentials". The login is what the client claimed: its
// control characters are replaced and its length is bounded, and the handlers of log/slog quote the rest, so that it
// cannot pass for another line or another address. The logger must not be in a group.
func LogFailure(log *slog.Logger, service string, ip netip.Addr, login, reason string) {
	if log == nil {
		return
	}
	log.LogAttrs(context.Background(), slog.LevelWarn, "auth failed",
		slog.String("service", word(service)),
		slog.String("remote", ip.Unmap().WithZone("").String()),
		slog.String("login", harmless(login)),
		slog.String("reason", word(reason)))
}

// word is what stands unquoted in a line.
func word(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, s)
	if s == "" {
		return "-"
	}
	return s
}

// harmless is a stranger's text on one line.
func harmless(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > longestLogin {
			b.WriteString("...")
			break
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}
