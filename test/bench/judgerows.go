package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"postern/dkim"
)

// judgeRows compare what accepting a message costs with and without judging it.
func judgeRows() []row {
	rows := []row{limitsRow()}
	for _, mail := range []struct {
		name  string
		write writer
		count int
		aim   string
	}{
		{"4 KiB", unsigned, 2000, "1.5x of bare"},
		{"4 KiB signed with RSA-2048", signed, 1500, "1.5x of bare"},
		{"20 KiB of HTML", html, 1000, "1.5x of bare"},
	} {
		for _, connections := range []int{1, 16, 64} {
			rows = append(rows, judgeRow(mail.name, mail.write, connections, mail.count, mail.aim, false))
		}
		for _, connections := range []int{1, 16, 64} {
			rows = append(rows, judgeRow(mail.name, mail.write, connections, mail.count/2, mail.aim, true))
		}
	}
	return rows
}

// judgeRow compares acceptance with and without judging: letter after letter over the same connections, or each by a
// connection of its own with STARTTLS, as mail from the world comes.
func judgeRow(name string, write writer, connections, count int, aim string, anew bool) row {
	judged := func(l *lab, on bool) error { return l.set("spam.enabled", fmt.Sprint(on)) }
	c := comparison{what: "bare", connections: connections, count: count, write: write, set: judged, anew: anew}
	how := fmt.Sprintf("%d connections", connections)
	if anew {
		how = fmt.Sprintf("a connection each, %d at a time", connections)
	}
	return row{fmt.Sprintf("judging %s, %s", name, how), aim, c.measure}
}

// limitsRow is what no judging can do without: proving one signature, and hashing.
func limitsRow() row {
	return row{"judging: the machine's own limits", "", func(*lab) (string, error) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return "", err
		}
		sum := sha256.Sum256([]byte("limit"))
		signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
		if err != nil {
			return "", err
		}
		verify := each(2000, func() { _ = rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature) })
		block := make([]byte, 4<<10)
		hash := each(20000, func() { sha256.Sum256(block) })
		return fmt.Sprintf("one RSA-2048 verification %.0f µs, SHA-256 of 4 KiB %.1f µs", verify, hash), nil
	}}
}

// each is what one call takes, in microseconds.
func each(n int, f func()) float64 {
	start := time.Now()
	for range n {
		f()
	}
	return float64(time.Since(start).Nanoseconds()) / 1000 / float64(n)
}

// set changes a setting of the server, in force for the next message.
func (l *lab) set(name, value string) error {
	cmd := exec.Command(l.binary, "settings", "set", name, value)
	cmd.Env = append(os.Environ(), "POSTERN_CONFIG="+filepath.Join(l.data, "postern.toml"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("setting %s: %w: %s", name, err, out)
	}
	return nil
}

// writer writes the letter with a number from one address to another, up to and with the final dot.
type writer func(from, to string, number uint64) []byte

func unsigned(from, to string, number uint64) []byte { return letter(from, to, 4<<10, number) }

// signingKey is the key of the sender's domain.
var signingKey = sync.OnceValues(func() (*dkim.Key, error) {
	return dkim.GenerateKey(dkim.RSA, "sender.example", "bench", time.Now())
})

func signed(from, to string, number uint64) []byte {
	body := letter(from, to, 4<<10, number)
	key, err := signingKey()
	if err != nil {
		return body
	}
	fields, err := dkim.Sign(bytes.NewReader(body), int64(len(body)-len(".\r\n")), nil, []*dkim.Key{key}, time.Now())
	if err != nil {
		return body
	}
	return append(fields, body...)
}

// html writes a newsletter: a short text, and HTML of 20 KiB with tables, styles, pictures and links.
func html(from, to string, number uint64) []byte {
	text := letter(from, to, 12<<10, number)
	head, body, _ := bytes.Cut(text, []byte("\r\n\r\n"))
	head, _, _ = bytes.Cut(head, []byte("MIME-Version:"))
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\r\n.\r\n")), []byte("\r\n"))
	var b bytes.Buffer
	b.Write(head)
	b.WriteString("List-Id: <news.sender.example>\r\nList-Unsubscribe: <https://sender.example/leave>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/alternative; boundary=\"=_part\"\r\n\r\n--=_part\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n")
	for _, line := range lines[:12] {
		b.Write(line)
		b.WriteString("\r\n")
	}
	b.WriteString("--=_part\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<!DOCTYPE html>\r\n<html><head><title>News</title>\r\n" +
		"<style>td { padding: 4px 8px; font-family: sans-serif; } .note { color: #444; }</style></head>\r\n<body bgcolor=\"#ffffff\">\r\n<table>\r\n")
	for n, line := range lines {
		fmt.Fprintf(&b, "<tr><td class=\"note\" style=\"color:#222222\">%s</td></tr>\r\n", line)
		if n%8 == 0 {
			fmt.Fprintf(&b, "<tr><td><a href=\"https://www.sender.example/news/%d/%d\"><img src=\"https://img.sender.example/%d.png\" width=\"200\" alt=\"\"></a></td></tr>\r\n", number, n, n)
		}
	}
	b.WriteString("</table>\r\n</body></html>\r\n--=_part--\r\n.\r\n")
	return b.Bytes()
}
