package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postern/internal/testenv"
)

const least = "hostname = \"mail.example.org\"\ndata = \"/var/lib/postern\"\n"

func TestTheLeastFileGivesEveryDefault(t *testing.T) {
	c, err := Parse("/etc/postern/postern.toml", []byte(least))
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{Path: "/etc/postern/postern.toml", Hostname: "mail.example.org", Data: "/var/lib/postern",
		Listen: map[string][]Address{
			"smtp": {{Port: 25}}, "submission": {{Port: 587}}, "submissions": {{Port: 465}}, "imaps": {{Port: 993}}, "managesieve": {{Port: 4190}},
			"admin": {{IP: netip.MustParseAddr("127.0.0.1"), Port: 4025}, {IP: netip.MustParseAddr("::1"), Port: 4025}},
		},
		Database: "sqlite:/var/lib/postern/postern.db", Blobs: "/var/lib/postern/blobs", LogLevel: "info", LogFormat: "text"}
	if d := cmp.Diff(want, c, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, netip.AddrPort{})); d != "" {
		t.Error(d)
	}
	if c.AdminSocket() != "/var/lib/postern/admin.sock" {
		t.Errorf("admin socket %s", c.AdminSocket())
	}
}

func TestEveryKeyIsRead(t *testing.T) {
	text := `hostname = "Mail.Bücher.example."
data = "data"
listen = { smtp = ["192.0.2.1:2525", "[2001:db8::1]:25"], submission = [], trusted_proxies = ["192.0.2.7", "2001:db8:1::/48"] }
[store]
database = "postgres://postern@/postern?host=/run/postgresql"
blobs = "/srv/blobs"
[dns]
servers = ["127.0.0.1", "[::1]:5353"]
[tls]
cert = "tls/cert.pem"
key = "/etc/tls/key.pem"
[log]
level = "debug"
format = "json"
`
	c, err := Parse("/etc/postern/postern.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []struct{ got, want string }{
		{c.Hostname, "mail.xn--bcher-kva.example"},
		{c.Data, "/etc/postern/data"},
		{c.Listen["smtp"][0].String() + " " + c.Listen["smtp"][0].Network(), "192.0.2.1:2525 tcp4"},
		{c.Listen["smtp"][1].String() + " " + c.Listen["smtp"][1].Network(), "[2001:db8::1]:25 tcp6"},
		{c.Listen["imaps"][0].String() + " " + c.Listen["imaps"][0].Network(), ":993 tcp"},
		{c.TrustedProxies[0].String() + " " + c.TrustedProxies[1].String(), "192.0.2.7/32 2001:db8:1::/48"},
		{c.Database, "postgres://postern@/postern?host=/run/postgresql"},
		{c.Blobs, "/srv/blobs"},
		{c.DNSServers[0].String() + " " + c.DNSServers[1].String(), "127.0.0.1:53 [::1]:5353"},
		{c.TLSCert + " " + c.TLSKey, "/etc/postern/tls/cert.pem /etc/tls/key.pem"},
		{c.LogLevel + " " + c.LogFormat, "debug json"},
	} {
		if check.got != check.want {
			t.Errorf("got %q, want %q", check.got, check.want)
		}
	}
	if n := len(c.Listen["submission"]); n != 0 {
		t.Errorf("an empty list leaves %d addresses: it must switch the service off", n)
	}
}

func TestEveryMistakeNamesItsLineAndTheMending(t *testing.T) {
	for _, mistake := range []struct{ text, want string }{
		{"data = \"/x\"\n", `p.toml: hostname: is missing; write the server's full name, such as hostname = "mail.example.org"`},
		{"hostname = \"mail\"\ndata = \"/x\"\n", `p.toml:1: hostname: "mail" has no domain; write the server's`},
		{"hostname = \"192.0.2.1\"\ndata = \"/x\"\n", `p.toml:1: hostname: "192.0.2.1" is an IP address, not a host name; `},
		{"hostname = \"a..b\"\ndata = \"/x\"\n", `p.toml:1: hostname: "a..b" is not a host name; `},
		{"hostname = \"m.example\"\n", `p.toml: data: is missing; write a folder`},
		{"hostname = \"m.example\"\ndata = \"/" + strings.Repeat("d", 100) + "\"\n", `p.toml:2: data: is too long: a Unix socket's path`},
		{least + "colour = 1\n", `p.toml:3: colour: unknown key; known are hostname, data, [listen], `},
		{least + "[listen]\nsmpt = []\n", `p.toml:4: listen.smpt: unknown key; [listen] knows smtp, submission,`},
		{least + "[listen]\nsmtp = [\n  \":25\",\n  \"mail.example.org:25\",\n]\n",
			`p.toml:6: listen.smtp: "mail.example.org:25" does not name an IP address; write ":25" for all addresses, "192.0.2.1:25" or`},
		{least + "[listen]\nimaps = [\"993\"]\n", `p.toml:4: listen.imaps: "993" is not an address with a port; write ":993"`},
		{least + "[listen]\nimaps = [\":99999\"]\n", `p.toml:4: listen.imaps: ":99999" has no port between 0 and 65535; `},
		{least + "[listen]\nimaps = [\":25\"]\n", `p.toml:4: listen.imaps: :25 is already used by listen.smtp; give each its own port`},
		{least + "[listen]\nsmtp = \":25\"\n", `p.toml:4: listen.smtp: cannot be a`},
		{least + "[listen]\ntrusted_proxies = [\"0.0.0.0/0\"]\n", `p.toml:4: listen.trusted_proxies: "0.0.0.0/0" trusts the whole internet; `},
		{least + "[listen]\ntrusted_proxies = [\"proxy\"]\n", `p.toml:4: listen.trusted_proxies: "proxy" is neither an address nor a network; `},
		{least + "[store]\ndatabase = \"mysql://root:secret@/db\"\n", `p.toml:4: store.database: is not a database that Postern knows; leave it out`},
		{least + "[dns]\nservers = [\"dns.example\"]\n", `p.toml:4: dns.servers: "dns.example" is not an IP address; `},
		{least + "[tls]\ncert = \"/c\"\n", `p.toml:4: tls.cert: stands without tls.key; add key =`},
		{least + "[tls]\nkey = \"/c\"\n", `p.toml:4: tls.key: stands without tls.cert; add cert =`},
		{least + "[log]\nlevel = \"loud\"\n", `p.toml:4: log.level: "loud" is not known; write one of info, debug, warn, error`},
		{least + "[log]\nformat = \"\"\n", `p.toml:4: log.format: "" is not known; write one of text, json`},
		{"hostname = \n", `p.toml:1: `},
	} {
		_, err := Parse("p.toml", []byte(mistake.text))
		if err == nil {
			t.Errorf("no error for\n%s", mistake.text)
			continue
		}
		var problems Problems
		if !errors.As(err, &problems) {
			t.Errorf("%T is not a list of problems", err)
		}
		if !strings.HasPrefix(err.Error(), mistake.want) {
			t.Errorf("for\n%sgot  %s\nwant %s", mistake.text, err, mistake.want)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the message shows a password: %s", err)
		}
		for _, p := range problems {
			if p.Fix == "" {
				t.Errorf("no mending for: %s", p)
			}
		}
	}
}

func TestAllMistakesAreReportedAtOnceInTheOrderOfTheirLines(t *testing.T) {
	text := "hostname = \"x\"\ndata = \"/d\"\n[log]\nlevel = \"loud\"\n[listen]\nsmtp = [\"a\", \"b\"]\n"
	_, err := Parse("p.toml", []byte(text))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 4 {
		t.Fatalf("got %v", err)
	}
	for i := 1; i < len(problems); i++ {
		if problems[i].Line < problems[i-1].Line {
			t.Errorf("line %d comes after line %d", problems[i].Line, problems[i-1].Line)
		}
	}
}

func TestAFileThatIsNotThereSaysHowToMakeOne(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "postern.toml"))
	if err == nil || !strings.Contains(err.Error(), "no such file or directory; make one with `postern init`") {
		t.Errorf("got %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not a configuration file") {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsWrittenReadsBackTheSame(t *testing.T) {
	elsewhere := New("mail.example.org", "/var/lib/postern", 0, false)
	elsewhere.Database, elsewhere.Blobs = "postgres://postern:p%22w@db.example.org/mail", "/srv/blobs"
	for _, c := range []*Config{
		elsewhere,
		New("mail.example.org", "/var/lib/postern", 0, false),
		New("mail.example.test", "/tmp/d\"e\\m\to ü", 2000, true),
	} {
		path := filepath.Join(t.TempDir(), "postern.toml")
		if err := os.WriteFile(path, []byte(c.Text()), 0o600); err != nil {
			t.Fatal(err)
		}
		back, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		back.Path = ""
		if d := cmp.Diff(c, back, cmpopts.EquateComparable(netip.Addr{})); d != "" {
			t.Errorf("%s\n%s", d, c.Text())
		}
	}
}

func TestTheDocumentedFileIsValidAndNamesEveryKey(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(testenv.Repository(), "docs", "postern.toml.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```toml\n")
	text, _, found := strings.Cut(text, "```")
	if !found {
		t.Fatal("docs/postern.toml.md has no ```toml block")
	}
	if _, err := Parse("/etc/postern/postern.toml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	lines := locate([]byte(text))
	for _, table := range []string{"", "listen", "store", "dns", "tls", "log"} {
		for _, key := range keys(table) {
			if table != "" {
				key = table + "." + key
			}
			if lines[strings.Trim(key, "[]")] == 0 {
				t.Errorf("the sample does not show %s", key)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(least))
	f.Add([]byte(New("mail.example.org", "/d", 2000, true).Text()))
	f.Add([]byte("listen = {smtp = [\":25\"]}\n[[tls]]\n"))
	f.Add([]byte("listen.smtp = [[\":25\"]]\n\"\".x=1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("/p.toml", text)
		if err != nil {
			for _, p := range err.(Problems) {
				if p.What == "" || p.Line < 0 || p.Line > len(text)+1 {
					t.Fatalf("bad problem %#v", p)
				}
			}
			return
		}
		if c.Hostname == "" || !filepath.IsAbs(c.Data) || !filepath.IsAbs(c.Blobs) || c.Database == "" {
			t.Fatalf("accepted with holes: %#v", c)
		}
	})
}
