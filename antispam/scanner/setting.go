package scanner

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Parse makes the scanner that a setting names:
//
//	spamd:127.0.0.1:783      spamd:/run/spamd.sock
//	rspamd:http://127.0.0.1:11333
//	clamd:127.0.0.1:3310     clamd:/run/clamav/clamd.ctl
//
// The result is a [*Spamd], [*Rspamd] or [*Clamd], whose fields may be set before its first use. Nothing is asked yet.
func Parse(text string) (Scanner, error) {
	name, where, ok := strings.Cut(strings.TrimSpace(text), ":")
	if ok && where != "" {
		switch name {
		case "spamd":
			s, err := parseSocket(name, where, "783", "/run/spamd.sock")
			if err != nil {
				return nil, err
			}
			return &Spamd{Network: s.network, Address: s.address}, nil
		case "clamd":
			s, err := parseSocket(name, where, "3310", "/run/clamav/clamd.ctl")
			if err != nil {
				return nil, err
			}
			return &Clamd{Network: s.network, Address: s.address}, nil
		case "rspamd":
			return parseRspamdURL(where)
		}
	}
	return nil, fmt.Errorf("%q names no scanner; write one such as spamd:127.0.0.1:783, rspamd:http://127.0.0.1:11333 or clamd:/run/clamav/clamd.ctl", cut(text, 200))
}

func parseSocket(name, where, port, path string) (socket, error) {
	if strings.HasPrefix(where, "/") {
		if len(where) > 107 || strings.ContainsRune(where, 0) { // what a sockaddr_un holds
			return socket{}, fmt.Errorf("%q is too long for a socket's path; let %s listen at a shorter one such as %s", cut(where, 200), name, path)
		}
		return socket{"unix", where}, nil
	}
	host, number, err := net.SplitHostPort(where)
	if err != nil || !isHost(host) || !isPort(number) {
		return socket{}, fmt.Errorf("%q is not where %s can listen; write an address with a port or a path, such as %s:127.0.0.1:%s or %s:%s",
			cut(where, 200), name, name, port, name, path)
	}
	return socket{"tcp", net.JoinHostPort(host, number)}, nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// isHost takes addresses and names.
func isHost(s string) bool {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.Zone() == ""
	}
	return s != "" && len(s) <= 253 && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

func parseRspamdURL(where string) (Scanner, error) {
	u, err := url.Parse(where)
	if err == nil && u.User != nil {
		return nil, fmt.Errorf("the URL of rspamd holds a login; leave it out and set the password by itself")
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !isHost(u.Hostname()) || u.Port() != "" && !isPort(u.Port()) ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return nil, fmt.Errorf("%q is not where rspamd can listen; write its URL, such as rspamd:http://127.0.0.1:11333", cut(where, 200))
	}
	return &Rspamd{URL: u.Scheme + "://" + u.Host}, nil
}
