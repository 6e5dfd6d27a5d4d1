package smtp

import "testing"

func TestChunksMakeAMessage(t *testing.T) {
	forRoles(t, func(t *testing.T, s *testServer, p *peer) {
		p.talk(t, opened+`
			R: BDAT 12\r\nSubject: x\r\nBDAT 0\r\nBDAT 2\r\n\r\nbdat 5 last\r\n.\r\n.x
			S: 250 2.0.0 12 bytes
			S: 250 2.0.0 0 bytes
			S: 250 2.0.0 2 bytes
			S: 250 2.6.0 Queued as 1
			`+opened+`
			R: BDAT 5\r\na\r\nb\r
			S: 250 2.0.0
			R: BDAT 1\r\n\n
			S: 250 2.0.0
			C: BDAT 0 LAST
			S: 250 2.6.0 Queued as 2
			C: BDAT 0 LAST
			S: 503 5.5.1`)
		for i, want := range []string{"Subject: x\r\n\r\n.\r\n.x", "a\r\nb\r\n"} {
			if got := s.backend.all()[i].Text; got != want {
				t.Errorf("message %d: %q, want %q", i, got, want)
			}
		}
	})
}

func TestChunksOutOfPlaceAreReadAndRefused(t *testing.T) {
	s := startServer(t, MX)
	for name, dialogue := range map[string]string{
		"before MAIL":           `R: BDAT 6\r\nNOOP\r\n` + "\nS: 503 5.5.1\nC: NOOP\nS: 250 2.0.0",
		"before RCPT":           "C: MAIL FROM:<>\nS: 250\n" + `R: BDAT 6 LAST\r\nNOOP\r\n` + "\nS: 554 5.5.1\nC: RCPT TO:<b@example.test>\nS: 250",
		"DATA behind":           opened + `R: BDAT 3\r\na\r\n` + "\nS: 250\nC: DATA\nS: 503 5.5.1\nC: BDAT 0 LAST\nS: 250",
		"RCPT behind":           opened + `R: BDAT 3\r\na\r\n` + "\nS: 250\nC: RCPT TO:<c@example.test>\nS: 503 5.5.1\nC: BDAT 0 LAST\nS: 250",
		"MAIL behind":           opened + `R: BDAT 3\r\na\r\n` + "\nS: 250\nC: MAIL FROM:<>\nS: 503 5.5.1",
		"RSET drops the chunks": opened + `R: BDAT 3\r\na\r\n` + "\nS: 250\nC: RSET\nS: 250\n" + opened + "C: DATA\nS: 354\nC: .\nS: 250",
		"a failed chunk stays":  opened + `R: BDAT 1\r\n\n` + "\nS: 554 5.6.0\n" + `R: BDAT 3\r\na\r\n` + "\nS: 554 5.6.0\n" + `R: BDAT 3 LAST\r\na\r\n` + "\nS: 554 5.6.0\nC: MAIL FROM:<>\nS: 250",
		"without size":          opened + "C: BDAT\nS: 501 5.5.4\nS: <closed>",
		"bad size":              opened + "C: BDAT -1\nS: 501 5.5.4\nS: <closed>",
		"huge size":             opened + "C: BDAT 99999999999999999999\nS: 501 5.5.4\nS: <closed>",
		"bad word":              opened + "C: BDAT 1 FIRST\nS: 501 5.5.4\nS: <closed>",
		"two spaces":            opened + "C: BDAT 1  LAST\nS: 501 5.5.4\nS: <closed>",
	} {
		t.Run(name, func(t *testing.T) {
			p := s.dial(t)
			p.enter(t, MX)
			p.talk(t, dialogue)
		})
	}
}

func TestOversizedMessagesAreReadToTheirEndAndRefused(t *testing.T) {
	for _, role := range roles {
		s := newTestServer(t, role)
		s.Settings = func() Limits { return Limits{MaxMessageSize: 20} }
		s.listen(t)
		p := s.dial(t)
		p.enter(t, role)
		p.talk(t, `
			C: MAIL FROM:<alice@example.test> SIZE=21
			S: 552 5.3.4
			C: MAIL FROM:<alice@example.test> SIZE=99999999999999999999
			S: 552 5.3.4
			`+opened+`
			C: DATA
			S: 354
			C: This line is 22 bytes
			C: NOOP
			C: .
			S: 552 5.3.4
			`+opened+`
			C: DATA
			S: 354
			C: .................18
			C: .
			S: 250 2.6.0
			`+opened+`
			R: BDAT 10\r\n12345678\r\nBDAT 11 LAST\r\n123456789\r\nNOOP\r\n
			S: 250 2.0.0
			S: 552 5.3.4
			S: 250 2.0.0
			`+opened+`
			R: BDAT 21\r\n12345678901234567890\nBDAT 1 LAST\r\nxNOOP\r\n
			S: 552 5.3.4
			S: 552 5.3.4
			S: 250 2.0.0`)
		if m := s.backend.all(); len(m) != 1 || len(m[0].Text) != 20 {
			t.Errorf("%v: accepted %+v", role, m)
		}
	}
}
