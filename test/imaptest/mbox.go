package imaptest

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// mail is one message of an mbox file, with CRLF.
type mail struct {
	date time.Time // of its From_ line
	body []byte
}

// readMbox reads all messages of a file. The empty line before the next From_
// line belongs to the message.
func readMbox(path string) ([]mail, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var mails []mail
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("From ")); ok {
			_, date, _ := bytes.Cut(rest, []byte(" "))
			t, err := fromDate(string(bytes.TrimSpace(date)))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			mails = append(mails, mail{date: t})
			continue
		}
		if len(mails) == 0 {
			return nil, fmt.Errorf("%s is no mbox", path)
		}
		m := &mails[len(mails)-1]
		m.body = append(m.body, bytes.TrimRight(line, "\r\n")...)
		m.body = append(m.body, "\r\n"...)
	}
	return mails, nil
}

// fromDate reads the date of a From_ line, with or without a zone.
func fromDate(s string) (time.Time, error) {
	if t, err := time.Parse(time.ANSIC+" -0700", s); err == nil {
		return t, nil
	}
	return time.Parse(time.ANSIC, s)
}
