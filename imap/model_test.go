package imap

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// counter is what a client knows of its mailbox from responses alone: a UID for each sequence number, "" while untold.
type counter struct {
	*client
	uids  []string
	flags map[string]string
}

// command sends one and follows the responses. It fails when the client's numbers and the server's part.
func (c *counter) command(tag, text string) error {
	c.send(tag + " " + text)
	expunged := false
	for {
		line := c.read()
		if strings.HasPrefix(line, tag+" ") {
			if strings.HasPrefix(line, tag+" BAD") {
				return fmt.Errorf("%s: %s", text, line)
			}
			if expunged && (strings.HasPrefix(text, "FETCH") || strings.HasPrefix(text, "STORE") || strings.HasPrefix(text, "SEARCH")) {
				return fmt.Errorf("EXPUNGE in the responses to %s", text)
			}
			return nil
		}
		fields := strings.SplitN(strings.TrimPrefix(line, "* "), " ", 3)
		n, err := strconv.Atoi(fields[0])
		if err != nil || len(fields) < 2 {
			continue
		}
		switch fields[1] {
		case "EXISTS":
			if n < len(c.uids) {
				return fmt.Errorf("EXISTS says %d, of %d known", n, len(c.uids))
			}
			c.uids = append(c.uids, make([]string, n-len(c.uids))...)
		case "EXPUNGE":
			expunged = true
			if n < 1 || n > len(c.uids) {
				return fmt.Errorf("EXPUNGE of %d, of %d known", n, len(c.uids))
			}
			delete(c.flags, c.uids[n-1])
			c.uids = slices.Delete(c.uids, n-1, n)
		case "FETCH":
			if err := c.fetched(n, fields[2]); err != nil {
				return fmt.Errorf("%s: %s: %w", text, line, err)
			}
		}
	}
}

func (c *counter) fetched(n int, items string) error {
	if n < 1 || n > len(c.uids) {
		return fmt.Errorf("FETCH of %d, of %d known", n, len(c.uids))
	}
	if _, rest, found := strings.Cut(items, "UID "); found {
		uid := rest[:strings.IndexAny(rest, " )")]
		if known := c.uids[n-1]; known != "" && known != uid {
			return fmt.Errorf("message %d is UID %s, it was %s", n, uid, known)
		}
		c.uids[n-1] = uid
	}
	if _, rest, found := strings.Cut(items, "FLAGS ("); found && c.uids[n-1] != "" {
		c.flags[c.uids[n-1]] = sorted(strings.ReplaceAll(rest[:strings.IndexByte(rest, ')')], `\Recent`, ""))
	}
	return nil
}

// silently does what a client does that stores with .SILENT: it computes the flags itself.
func (c *counter) silently(uid, sign, flag string) {
	known, told := c.flags[uid]
	if !told {
		return
	}
	flags := slices.DeleteFunc(strings.Fields(known), func(f string) bool { return f == flag })
	switch sign {
	case "+":
		flags = append(flags, flag)
	case "":
		flags = []string{flag}
	}
	c.flags[uid] = sorted(strings.Join(flags, " "))
}

func sorted(flags string) string {
	fields := strings.Fields(flags)
	slices.Sort(fields)
	return strings.Join(fields, " ")
}

// Several sessions change one mailbox at once and at random. What each learns from responses, or computes where it asked for
// silence, must be the truth in the end, by a NOOP alone.
func TestClientsNeverLoseCount(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		w.deliver("alice@example.test", "", hello)
	}
	const sessions, rounds = 4, 200
	clients := make([]*counter, sessions)
	for i := range clients {
		c := &counter{client: w.user("alice@example.test"), flags: map[string]string{}}
		c.name = fmt.Sprintf("session %d: ", i)
		for _, command := range []string{"SELECT INBOX", "FETCH 1:* (UID FLAGS)"} {
			if err := c.command("s", command); err != nil {
				t.Fatal(err)
			}
		}
		clients[i] = c
	}
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 7))
			for round := range rounds {
				if err := c.random(random, "r"+strconv.Itoa(round)); err != nil {
					t.Errorf("session %d, round %d: %v", i, round, err)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, c := range clients {
		if err := c.command("n", "NOOP"); err != nil {
			t.Error(err)
		}
	}
	if t.Failed() {
		return
	}
	truth := &counter{client: w.user("alice@example.test"), flags: map[string]string{}}
	for _, command := range []string{"SELECT INBOX", "FETCH 1:* (UID FLAGS)"} {
		if err := truth.command("t", command); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range clients {
		if len(c.uids) != len(truth.uids) {
			t.Errorf("session %d counts %d messages of %d", i, len(c.uids), len(truth.uids))
			continue
		}
		for n, uid := range c.uids {
			if uid == "" {
				continue
			}
			if uid != truth.uids[n] {
				t.Errorf("session %d takes message %d for UID %s, it is %s", i, n+1, uid, truth.uids[n])
			}
			if flags, told := c.flags[uid]; told && flags != truth.flags[uid] {
				t.Errorf("session %d believes UID %s to be (%s), it is (%s)", i, uid, flags, truth.flags[uid])
			}
		}
	}
}

// random sends a command.
func (c *counter) random(random *rand.Rand, tag string) error {
	messages := len(c.uids)
	if messages == 0 {
		return c.command(tag, "APPEND INBOX {5+}\r\nx: y\n")
	}
	a := 1 + random.IntN(messages)
	b := min(a+random.IntN(3), messages)
	flag := []string{`\Seen`, `\Flagged`, `\Answered`, "$Junk", "k" + strconv.Itoa(random.IntN(3))}[random.IntN(5)]
	sign := []string{"+", "-", ""}[random.IntN(3)]
	command := "APPEND INBOX {5+}\r\nx: y\n"
	switch random.IntN(11) {
	case 0:
		command = "NOOP"
	case 1:
		command = fmt.Sprintf("FETCH %d:%d (UID FLAGS)", a, b)
	case 2:
		command = fmt.Sprintf("STORE %d:%d %sFLAGS (%s)", a, b, sign, flag)
	case 3:
		command = fmt.Sprintf("UID STORE %d:%d %sFLAGS (%s)", a, b+20, sign, flag)
	case 4:
		uid := c.uids[a-1]
		if uid == "" {
			break
		}
		// What is computed is computed before the responses, which may tell more.
		c.silently(uid, sign, flag)
		command = fmt.Sprintf("UID STORE %s %sFLAGS.SILENT (%s)", uid, sign, flag)
	case 5:
		command = fmt.Sprintf(`STORE %d +FLAGS (\Deleted)`, a)
	case 6:
		command = "EXPUNGE"
	case 7:
		command = fmt.Sprintf("SEARCH %s", []string{"SEEN", "ALL", "UNDELETED"}[random.IntN(3)])
	case 8:
		command = fmt.Sprintf("COPY %d INBOX", a)
	case 9:
		command = fmt.Sprintf("MOVE %d INBOX", a)
	}
	return c.command(tag, command)
}
