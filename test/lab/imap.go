package lab

import (
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// IMAP opens an IMAPS session of an independent client and logs in.
func (s *Server) IMAP(t testing.TB, user string) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialTLS(s.Address(993), &imapclient.Options{TLSConfig: s.TLS()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Login(user, Password).Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

// Count is how many messages STATUS tells of.
func (s *Server) Count(t testing.TB, user, mailbox string) int {
	t.Helper()
	c := s.IMAP(t, user)
	defer c.Close()
	data, err := c.Status(mailbox, &imap.StatusOptions{NumMessages: true}).Wait()
	if err != nil {
		t.Fatal(err)
	}
	return int(*data.NumMessages)
}

// Messages waits until the mailbox of user holds n messages, at least one, and gives their bytes in order.
func (s *Server) Messages(t testing.TB, user, mailbox string, n int) [][]byte {
	t.Helper()
	c := s.IMAP(t, user)
	defer c.Close()
	deadline := time.Now().Add(30 * time.Second)
	for {
		data, err := c.Select(mailbox, &imap.SelectOptions{ReadOnly: true}).Wait()
		if err != nil {
			t.Fatal(err)
		}
		if int(data.NumMessages) >= n {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has %d messages in %s, not %d", user, data.NumMessages, mailbox, n)
		}
		<-time.After(20 * time.Millisecond)
	}
	var all imap.SeqSet
	all.AddRange(1, 0)
	fetched, err := c.Fetch(all, &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{{Peek: true}}}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, m := range fetched {
		out = append(out, m.BodySection[0].Bytes)
	}
	return out
}
