package judge

import (
	"context"
	"io"
	"net/netip"

	"postern/antispam"
	"postern/antispam/scanner"
	"postern/internal/address"
	"postern/internal/message"
	"postern/internal/verdict"
)

// Departure is a message that a user of ours sends.
type Departure struct {
	ID     string
	Client netip.Addr
	// User is who logged in, From the reverse-path.
	User       string
	From       address.Address
	Recipients []address.Address
	Parsed     *message.Message
	Content    io.ReaderAt
	Size       int64
	Received   []byte
}

// Outgoing is what was found in it.
type Outgoing struct {
	// Score is that of the configured scanner, or else of the built-in engine, with nothing about the client, who has
	// logged in.
	Score verdict.Points
	// Virus names what the virus scanner found; "" for nothing, and where there is none.
	Virus string
}

// Outgoing looks at a message that a user of ours sends. A scanner that does not answer finds nothing.
func (j *Judge) Outgoing(ctx context.Context, d *Departure) (Outgoing, error) {
	var out Outgoing
	s := j.Scanners()
	if s.Virus != nil {
		if r, err := s.Virus.Scan(ctx, d.toScan()); err == nil && r.Kind == scanner.Infected {
			out.Virus = r.Virus
		}
	}
	if s.Spam != nil {
		if r, err := s.Spam.Scan(ctx, d.toScan()); err == nil {
			out.Score = r.Score
			return out, nil
		}
	}
	f, err := j.Engine.Examine(&antispam.Mail{Parsed: d.Parsed, Content: d.Content, At: j.Clock.Now(), Relay: &antispam.Relay{}, Recipients: d.Recipients})
	if err != nil {
		return out, err
	}
	defer f.Close()
	out.Score = f.Rules().Points + f.Words().Points
	return out, nil
}

func (d *Departure) toScan() scanner.Message {
	m := scanner.Message{Content: d.Content, Size: d.Size, Received: d.Received, Client: d.Client, ID: d.ID, From: pathOf(d.From), User: d.User}
	for _, r := range d.Recipients {
		m.Recipients = append(m.Recipients, r.String())
	}
	return m
}
