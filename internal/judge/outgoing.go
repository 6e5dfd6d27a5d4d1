package judge

import (
	"io"

	"postern/antispam"
	"postern/internal/message"
	"postern/internal/verdict"
)

// Outgoing is the score of a message that a user of ours sends: what the built-in engine finds in it, with nothing about a
// client, who has logged in.
func (j *Judge) Outgoing(m *message.Message, content io.ReaderAt) (verdict.Points, error) {
	f, err := j.Engine.Examine(&antispam.Mail{Parsed: m, Content: content, At: j.Clock.Now(), Relay: &antispam.Relay{}})
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Rules().Points + f.Words().Points, nil
}
