// Package config reads postern.toml: what the server must know before it can open its database, and nothing else.
// Domains, people, keys and policy live in the database and are changed with `postern domain`, `postern user` and
// `postern settings`.
//
// The road starts at [Load] with the file's name and ends with a [Config] in which every value has been checked and
// every default filled in, so that nobody downstream asks "is it set?". The file is read strictly: a key that Postern
// does not know is an error, because a misspelt key that is silently ignored is a server that is silently different.
// Every error is a [Problem] that says where (file and line), what is wrong and how to mend it, and all of them are
// reported at once.
package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// Config is a checked postern.toml. All paths are absolute.
type Config struct {
	// Path is the file that was read, "" for a configuration made in memory.
	Path string
	// Hostname is the server's own name: greeting, Received, certificate, MX target. Lower case, without final dot.
	Hostname string
	// Data is the directory of everything that Postern writes.
	Data string
	// Listen names the addresses of each service, by the service's name (see [Services]). A service without
	// addresses is off.
	Listen map[string][]Address
	// TrustedProxies may speak the PROXY protocol to us and are believed.
	TrustedProxies []netip.Prefix
	// Database is "sqlite:/path/file" or "postgres://…".
	Database string
	// Blobs is the folder of message bodies too large for the database.
	Blobs string
	// DNSServers are asked in turn; empty means those of the system.
	DNSServers []netip.AddrPort
	// TLSCert and TLSKey are PEM files; both empty means a certificate that Postern makes itself.
	TLSCert, TLSKey string
	// LogLevel is debug, info, warn or error.
	LogLevel string
	// LogFormat is text or json.
	LogFormat string
}

// AdminSocket is where the administrator's commands reach the running server.
func (c *Config) AdminSocket() string { return filepath.Join(c.Data, "admin.sock") }

// maxFileBytes bounds what is read: a configuration of a megabyte is some other file.
const maxFileBytes = 1 << 20

// Load reads and checks the file. The error is a [Problems] unless the file could not be read at all.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Problem{File: path, What: "cannot be read: " + cause(err), Fix: "make one with `postern init`, or name another with --config"}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, &Problem{File: path, What: "cannot be read: " + cause(err), Fix: "check the file's permissions"}
	}
	if info.IsDir() || info.Size() > maxFileBytes {
		return nil, &Problem{File: path, What: "is not a configuration file", Fix: "name the postern.toml that `postern init` wrote"}
	}
	text := make([]byte, info.Size())
	n, err := f.ReadAt(text, 0)
	if err != nil && n < len(text) {
		return nil, &Problem{File: path, What: "cannot be read: " + cause(err), Fix: "check the file's permissions"}
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("the working directory is gone: %w", err)
	}
	return Parse(absolute, text[:n])
}

// cause is err without the operation and the path, which the Problem names itself.
func cause(err error) string {
	s := err.Error()
	if i := strings.LastIndex(s, ": "); i >= 0 {
		return s[i+2:]
	}
	return s
}

// A Problem is one thing wrong with the file.
type Problem struct {
	File string
	Line int    // 0 when the problem is with the file as a whole
	Key  string // such as "listen.smtp"
	What string // what is wrong
	Fix  string // how to mend it
}

// Error gives file:line: key: what; fix.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.What)
	if p.Fix != "" {
		b.WriteString("; " + p.Fix)
	}
	return b.String()
}

// Problems is everything wrong with the file, in the order of its lines.
type Problems []*Problem

// Error gives one problem per line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}
