package docs_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"postern/internal/testdns"
	"postern/internal/testenv"
	"postern/test/lab"
)

// shown are the pages whose commands are run: what they call /var/lib/postern and mail.example.org is the demo here.
var shown = []string{"docs/install.md", "docs/dns.md", "docs/clients.md", "docs/operations.md", "docs/spam.md", "docs/spam-engine.md", "docs/scanners.md", "docs/authentication.md", "docs/store.md", "docs/reports.md", "docs/training.md"}

// schemePorts are the ports that URLs without one mean.
var schemePorts = map[string]int{"imaps": 993, "smtps": 465, "smtp": 25, "http": 80}

var pageURL = regexp.MustCompile(`\b(imaps|smtps?|http)://(mail\.example\.org|localhost)(:\d+)?`)

// TestTheCommandsInTheDocumentationWork runs what the pages show against a demo that serves example.org too. Capital words
// in them stand for what only the reader knows.
func TestTheCommandsInTheDocumentationWork(t *testing.T) {
	testenv.Need(t, "bash", "curl")
	dns := testdns.Start(t, "mail.example.test. IN A 127.0.0.1\n1.0.0.127.in-addr.arpa. IN PTR mail.example.test.\n")
	s := lab.Start(t, "--dns", dns.Addr())
	s.Postern("domain", "add", "example.org")
	dns.Set(t, s.Postern("domain", "dns", "print", "example.org"))
	dns.Set(t, s.Postern("domain", "dns", "print", "example.test"))
	addUser(t, s, "you@example.org")
	dns.SetFailure("example.com", testdns.ServFail())
	id := waitingMessage(t, s)
	words := strings.NewReplacer("PASSWORD", lab.Password, "ID", id, "/var/lib/postern", s.Data)
	translate := func(text string) string {
		text = pageURL.ReplaceAllStringFunc(text, func(url string) string {
			m := pageURL.FindStringSubmatch(url)
			port := schemePorts[m[1]]
			if m[3] != "" {
				port, _ = strconv.Atoi(m[3][1:])
			}
			return m[1] + "://localhost:" + strconv.Itoa(s.Port(port))
		})
		return words.Replace(text)
	}
	for _, path := range shown {
		var run []block
		for _, b := range blocks(t, path) {
			switch b.kind {
			case "sh":
				run = append(run, b)
			case "sh norun":
				isKnown(t, path, b)
			default:
				if strings.HasPrefix(b.kind, "sh") {
					t.Errorf("%s:%d: a block %q", path, b.line, b.kind)
				}
			}
		}
		term := newTerminal(t, s, translate)
		term.env = append(term.env, "POSTERN_CONFIG="+s.Config(), "CURL_CA_BUNDLE="+s.CA())
		term.env[0] = "PATH=" + term.dir + "/bin:" + strings.TrimPrefix(term.env[0], "PATH=")
		term.types(t, lab.Password)
		term.run(t, path, run)
	}
}

func addUser(t *testing.T, s *lab.Server, address string) {
	t.Helper()
	cmd := s.Command("user", "add", address)
	cmd.Stdin = strings.NewReader(lab.Password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// waitingMessage puts a message into the queue that cannot leave, and gives its id.
func waitingMessage(t *testing.T, s *lab.Server) string {
	t.Helper()
	send := "printf 'From: you@example.org\\n\\nHello.\\n' | curl -sS --crlf --upload-file - --user you@example.org:PASSWORD " +
		"--mail-from you@example.org --mail-rcpt friend@example.com smtps://localhost:465\n"
	term := newTerminal(t, s, strings.NewReplacer("PASSWORD", lab.Password, ":465", ":"+strconv.Itoa(s.Port(465))).Replace)
	term.env = append(term.env, "CURL_CA_BUNDLE="+s.CA())
	term.run(t, "a message", []block{{text: send}})
	found := regexp.MustCompile(`"message": "(\w+)"`).FindStringSubmatch(s.Postern("queue", "list", "--json"))
	if found == nil {
		t.Fatal("the message does not wait in the queue")
	}
	return found[1]
}

var (
	posternLine = regexp.MustCompile(`(?m)^(?:sudo (?:-E )?)?postern (.*)$`)
	usageLine   = regexp.MustCompile(`(?m)^Usage:\n  postern(.*)$`)
)

// isKnown looks whether the command has what a block names that cannot be run here: subcommands and flags.
func isKnown(t *testing.T, path string, b block) {
	t.Helper()
	text := strings.ReplaceAll(b.text, "\\\n", " ")
	for _, match := range posternLine.FindAllStringSubmatch(text, -1) {
		line, _, _ := strings.Cut(match[1], "#")
		var words, flags []string
		for _, word := range strings.Fields(line) {
			if strings.HasPrefix(word, "--") {
				flag, _, _ := strings.Cut(word, "=")
				flags = append(flags, flag)
			} else if len(flags) == 0 {
				words = append(words, word)
			}
		}
		said := help(t, words)
		usage := usageLine.FindStringSubmatch(said)
		if usage == nil || !strings.HasPrefix(usage[1], " "+words[0]) || strings.Contains(said, "Available Commands:") {
			t.Errorf("%s:%d: postern has no command %q", path, b.line, strings.Join(words, " "))
		}
		for _, flag := range flags {
			if !strings.Contains(said, flag+" ") {
				t.Errorf("%s:%d: postern %s has no flag %s", path, b.line, words[0], flag)
			}
		}
	}
}
