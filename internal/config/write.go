package config

import (
	"fmt"
	"strconv"
	"strings"
)

// New is the configuration that `postern init` and `postern demo` start from: defaults everywhere, ports moved up by
// base. Loopback keeps every service on this machine.
func New(hostname, data string, base int, loopback bool) *Config {
	c := &Config{Hostname: hostname, Data: data, Listen: make(map[string][]Address, len(services)),
		Database: "sqlite:" + data + "/postern.db", Blobs: data + "/blobs", LogLevel: "info", LogFormat: "text"}
	for _, s := range services {
		s.Loopback = s.Loopback || loopback
		c.Listen[s.Name] = s.defaults(base)
	}
	return c
}

// Text writes a postern.toml that says what differs from the defaults and explains what does not.
func (c *Config) Text() string {
	var b strings.Builder
	b.WriteString("# Postern's configuration: what it must know to start. Domains, people and policy are in the database;\n" +
		"# see `postern domain`, `postern user`, `postern settings`. Every key is explained in docs/postern.toml.md.\n\n")
	fmt.Fprintf(&b, "hostname = %s\ndata = %s\n\n", strconv.Quote(c.Hostname), quote(c.Data))
	b.WriteString("[listen]\n# \":25\" is every address of the machine, IPv4 and IPv6; [] switches a service off.\n")
	for _, s := range services {
		mark := ""
		if sameAddresses(c.Listen[s.Name], s.defaults(0)) {
			mark = "#"
		}
		texts := make([]string, len(c.Listen[s.Name]))
		for i, a := range c.Listen[s.Name] {
			texts[i] = strconv.Quote(a.String())
		}
		fmt.Fprintf(&b, "%s%s = [%s]\n", mark, s.Name, strings.Join(texts, ", "))
	}
	b.WriteString("\n[tls]\n# Without these Postern makes a certificate of its own, signed by a CA in data.\n")
	if c.TLSCert != "" {
		fmt.Fprintf(&b, "cert = %s\nkey = %s\n", quote(c.TLSCert), quote(c.TLSKey))
	} else {
		b.WriteString("#cert = \"/etc/ssl/mail/fullchain.pem\"\n#key = \"/etc/ssl/mail/privkey.pem\"\n")
	}
	if usual := New("", c.Data, 0, false); c.Database != usual.Database || c.Blobs != usual.Blobs {
		fmt.Fprintf(&b, "\n[store]\ndatabase = %s\nblobs = %s\n", quote(c.Database), quote(c.Blobs))
	}
	b.WriteString("\n[dns]\n")
	servers := make([]string, len(c.DNSServers))
	for i, s := range c.DNSServers {
		servers[i] = strconv.Quote(s.String())
	}
	if len(servers) > 0 {
		fmt.Fprintf(&b, "servers = [%s]\n", strings.Join(servers, ", "))
	} else {
		b.WriteString("# A validating resolver on this machine is best: block lists refuse public ones.\n#servers = [\"127.0.0.1\"]\n")
	}
	fmt.Fprintf(&b, "\n[log]\nlevel = %q\nformat = %q\n", c.LogLevel, c.LogFormat)
	return b.String()
}

func sameAddresses(a, b []Address) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// quote writes a path as a TOML basic string: strconv.Quote's \x and \a are not TOML.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
