package config

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/net/idna"
)

// file is postern.toml as it is written. A nil list is a key that is absent, an empty one a key that says "none".
type file struct {
	Hostname string  `toml:"hostname"`
	Data     string  `toml:"data"`
	Listen   listen  `toml:"listen"`
	Store    storage `toml:"store"`
	DNS      dns     `toml:"dns"`
	TLS      tlsPair `toml:"tls"`
	Log      logging `toml:"log"`
}

type listen struct {
	SMTP           *[]string `toml:"smtp"`
	Submission     *[]string `toml:"submission"`
	Submissions    *[]string `toml:"submissions"`
	IMAPS          *[]string `toml:"imaps"`
	ManageSieve    *[]string `toml:"managesieve"`
	Admin          *[]string `toml:"admin"`
	TrustedProxies []string  `toml:"trusted_proxies"`
}

// of gives the addresses that the file has for a service.
func (l *listen) of(service string) *[]string {
	switch service {
	case "smtp":
		return l.SMTP
	case "submission":
		return l.Submission
	case "submissions":
		return l.Submissions
	case "imaps":
		return l.IMAPS
	case "managesieve":
		return l.ManageSieve
	case "admin":
		return l.Admin
	}
	return nil
}

type storage struct {
	Database string `toml:"database"`
	Blobs    string `toml:"blobs"`
}

type dns struct {
	Servers []string `toml:"servers"`
}

type tlsPair struct {
	Cert string `toml:"cert"`
	Key  string `toml:"key"`
}

type logging struct {
	Level  string `toml:"level"`
	Format string `toml:"format"`
}

// Limits on lists: a file beyond them is a mistake, and each address costs a socket.
const (
	maxAddresses  = 64
	maxProxies    = 256
	maxDNSServers = 16
	maxSocketPath = 107 // unix(7): sun_path less its NUL
)

// Parse checks the text of a configuration. Relative paths in it are relative to the folder of path. The error is a
// [Problems].
func Parse(path string, text []byte) (*Config, error) {
	var raw file
	decoder := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := decoder.Decode(&raw); err != nil {
		return nil, decodingProblems(path, err)
	}
	c := &checker{path: path, lines: locate(text), base: filepath.Dir(path)}
	config := c.check(&raw)
	if len(c.problems) > 0 {
		sort.SliceStable(c.problems, func(i, j int) bool { return c.problems[i].Line < c.problems[j].Line })
		return nil, c.problems
	}
	return config, nil
}

// decodingProblems puts the decoder's errors in our form: its texts speak of Go structs.
func decodingProblems(path string, err error) Problems {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		var problems Problems
		for i := range unknown.Errors {
			e := &unknown.Errors[i]
			line, _ := e.Position()
			problems = append(problems, &Problem{File: path, Line: line, Key: strings.Join(e.Key(), "."),
				What: "unknown key", Fix: knownKeys(e.Key())})
		}
		return problems
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		line, _ := wrong.Position()
		what := strings.TrimPrefix(wrong.Error(), "toml: ")
		if i := strings.Index(what, " into struct field"); i >= 0 {
			what = strings.Replace(what[:i], "cannot decode TOML", "cannot be a", 1)
			what = strings.Replace(what, "cannot be a array", "cannot be a list", 1)
			what = strings.Replace(what, "cannot be a integer", "cannot be a number", 1)
		}
		return Problems{{File: path, Line: line, Key: strings.Join(wrong.Key(), "."), What: what,
			Fix: "strings are written \"so\", lists [\"so\", \"and so\"]"}}
	}
	return Problems{{File: path, What: strings.TrimPrefix(err.Error(), "toml: "), Fix: "see docs/postern.toml.md for the form"}}
}

// keys are the known keys by table, "" for the top.
func keys(table string) []string {
	switch table {
	case "":
		return []string{"hostname", "data", "[listen]", "[store]", "[dns]", "[tls]", "[log]"}
	case "listen":
		names := make([]string, 0, len(services)+1)
		for _, s := range services {
			names = append(names, s.Name)
		}
		return append(names, "trusted_proxies")
	case "store":
		return []string{"database", "blobs"}
	case "dns":
		return []string{"servers"}
	case "tls":
		return []string{"cert", "key"}
	case "log":
		return []string{"level", "format"}
	}
	return nil
}

func knownKeys(key toml.Key) string {
	if len(key) >= 2 {
		if known := keys(key[0]); known != nil {
			return fmt.Sprintf("[%s] knows %s", key[0], strings.Join(known, ", "))
		}
	}
	return "known are " + strings.Join(keys(""), ", ")
}

// checker turns the file's values into the configuration and notes what is wrong.
type checker struct {
	path, base string
	lines      map[string]int
	problems   Problems
}

func (c *checker) complain(key, fix, what string, args ...any) {
	line := c.lines[key]
	if i := strings.IndexByte(key, '['); i >= 0 {
		if line == 0 {
			line = c.lines[key[:i]]
		}
		key = key[:i]
	}
	c.problems = append(c.problems, &Problem{File: c.path, Line: line, Key: key, What: fmt.Sprintf(what, args...), Fix: fix})
}

func (c *checker) check(raw *file) *Config {
	config := &Config{Path: c.path, Listen: make(map[string][]Address, len(services))}
	config.Hostname = c.hostname(raw.Hostname)
	config.Data = c.folder("data", raw.Data)
	if len(config.AdminSocket()) > maxSocketPath {
		c.complain("data", "choose a folder nearer to the root", "is too long: a Unix socket's path has at most %d bytes", maxSocketPath)
	}
	for _, s := range services {
		config.Listen[s.Name] = c.addresses("listen."+s.Name, raw.Listen.of(s.Name), s)
	}
	c.distinct(config.Listen)
	config.TrustedProxies = c.proxies(raw.Listen.TrustedProxies)
	config.Database = c.database(raw.Store.Database, config.Data)
	config.Blobs = filepath.Join(config.Data, "blobs")
	if _, set := c.lines["store.blobs"]; set {
		config.Blobs = c.folder("store.blobs", raw.Store.Blobs)
	}
	config.DNSServers = c.dnsServers(raw.DNS.Servers)
	config.TLSCert, config.TLSKey = c.certificate(raw.TLS)
	config.LogLevel = c.oneOf("log.level", raw.Log.Level, "info", "debug", "warn", "error")
	config.LogFormat = c.oneOf("log.format", raw.Log.Format, "text", "json")
	return config
}

func (c *checker) hostname(s string) string {
	const fix = `write the server's full name, such as hostname = "mail.example.org"`
	if s == "" {
		c.complain("hostname", fix, "is missing")
		return ""
	}
	name, err := Hostname(s)
	if err != nil {
		c.complain("hostname", fix, "%v", err)
	}
	return name
}

// Hostname checks a server's full name and gives it in lower-case A-labels without final dot.
func Hostname(s string) (string, error) {
	name, err := idna.Lookup.ToASCII(strings.TrimSuffix(s, "."))
	if err != nil || len(name) > 253 || strings.ContainsAny(name, " _") {
		return "", fmt.Errorf("%q is not a host name", s)
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "", fmt.Errorf("%q is an IP address, not a host name", s)
	}
	for _, label := range strings.Split(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "", fmt.Errorf("%q is not a host name", s)
		}
	}
	// Other servers refuse a bare label in EHLO (RFC 5321 2.3.5); only "localhost" has a use, on one machine.
	if !strings.Contains(name, ".") && name != "localhost" {
		return "", fmt.Errorf("%q has no domain", s)
	}
	return name, nil
}

func (c *checker) folder(key, s string) string {
	const fix = `write a folder, such as "/var/lib/postern"`
	switch {
	case s == "":
		c.complain(key, fix, "is missing")
		return ""
	case strings.ContainsRune(s, 0):
		c.complain(key, fix, "holds a NUL")
		return ""
	}
	return c.absolute(s)
}

func (c *checker) absolute(s string) string {
	if filepath.IsAbs(s) {
		return filepath.Clean(s)
	}
	return filepath.Join(c.base, s)
}

func (c *checker) addresses(key string, texts *[]string, s Service) []Address {
	if texts == nil {
		return s.defaults(0)
	}
	fix := fmt.Sprintf(`write ":%d" for all addresses, "192.0.2.1:%d" or "[2001:db8::1]:%d"`, s.Port, s.Port, s.Port)
	if len(*texts) > maxAddresses {
		c.complain(key, "name fewer", "has %d addresses, %d are allowed", len(*texts), maxAddresses)
		return nil
	}
	addresses := make([]Address, 0, len(*texts))
	for i, text := range *texts {
		a, err := ParseAddress(text)
		if err != nil {
			c.complain(fmt.Sprintf("%s[%d]", key, i), fix, "%v", err)
			continue
		}
		addresses = append(addresses, a)
	}
	return addresses
}

// distinct refuses two services, or two lines of one, at the same address: the second bind would fail with a text that
// does not say which line is to blame.
func (c *checker) distinct(all map[string][]Address) {
	seen := make(map[Address]string)
	for _, s := range services {
		for i, a := range all[s.Name] {
			if a.Port == 0 {
				continue // the system picks a free one
			}
			if other, taken := seen[a]; taken {
				c.complain(fmt.Sprintf("listen.%s[%d]", s.Name, i), "give each its own port", "%s is already used by listen.%s", a, other)
			}
			seen[a] = s.Name
		}
	}
}

func (c *checker) proxies(texts []string) []netip.Prefix {
	const key, fix = "listen.trusted_proxies", `write addresses or networks, such as ["192.0.2.7", "2001:db8::/64"]`
	if len(texts) > maxProxies {
		c.complain(key, "name networks instead of addresses", "has %d entries, %d are allowed", len(texts), maxProxies)
		return nil
	}
	var prefixes []netip.Prefix
	for i, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			ip, ipErr := netip.ParseAddr(text)
			if ipErr != nil || ip.Zone() != "" {
				c.complain(fmt.Sprintf("%s[%d]", key, i), fix, "%q is neither an address nor a network", text)
				continue
			}
			ip = ip.Unmap()
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		if prefix.Bits() == 0 {
			// Anyone could then claim any address, and every limit and block list would believe it.
			c.complain(fmt.Sprintf("%s[%d]", key, i), "name the proxies' own addresses", "%q trusts the whole internet", text)
			continue
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes
}

func (c *checker) database(s, data string) string {
	const key, fix = "store.database", `leave it out, or write "sqlite:/path/postern.db" or "postgres://user@host/name"`
	if _, set := c.lines[key]; !set {
		return "sqlite:" + filepath.Join(data, "postern.db")
	}
	if path, ok := strings.CutPrefix(s, "sqlite:"); ok && path != "" && !strings.ContainsAny(path, "?\x00") {
		return "sqlite:" + c.absolute(path)
	}
	if u, err := url.Parse(s); err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") {
		return s
	}
	c.complain(key, fix, "is not a database that Postern knows") // the value may hold a password: not shown
	return ""
}

func (c *checker) dnsServers(texts []string) []netip.AddrPort {
	const key, fix = "dns.servers", `write addresses, such as ["127.0.0.1", "[::1]:5353"]`
	if len(texts) > maxDNSServers {
		c.complain(key, "name fewer", "has %d entries, %d are allowed", len(texts), maxDNSServers)
		return nil
	}
	var servers []netip.AddrPort
	for i, text := range texts {
		server, err := netip.ParseAddrPort(text)
		if err != nil {
			ip, ipErr := netip.ParseAddr(text)
			if ipErr != nil {
				c.complain(fmt.Sprintf("%s[%d]", key, i), fix, "%q is not an IP address", text)
				continue
			}
			server = netip.AddrPortFrom(ip, 53)
		}
		if server.Port() == 0 {
			c.complain(fmt.Sprintf("%s[%d]", key, i), fix, "%q has port 0", text)
			continue
		}
		servers = append(servers, netip.AddrPortFrom(server.Addr().Unmap(), server.Port()))
	}
	return servers
}

func (c *checker) certificate(pair tlsPair) (cert, key string) {
	switch {
	case pair.Cert == "" && pair.Key == "":
		return "", ""
	case pair.Cert == "":
		c.complain("tls.key", `add cert = "/path/fullchain.pem", or leave both out`, "stands without tls.cert")
		return "", ""
	case pair.Key == "":
		c.complain("tls.cert", `add key = "/path/privkey.pem", or leave both out`, "stands without tls.key")
		return "", ""
	}
	return c.folder("tls.cert", pair.Cert), c.folder("tls.key", pair.Key)
}

// oneOf gives the value, or the first choice when the key is absent.
func (c *checker) oneOf(key, value string, choices ...string) string {
	if _, set := c.lines[key]; !set {
		return choices[0]
	}
	for _, choice := range choices {
		if value == choice {
			return value
		}
	}
	c.complain(key, "write one of "+strings.Join(choices, ", "), "%q is not known", value)
	return choices[0]
}
