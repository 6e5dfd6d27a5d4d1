package mailflow

import (
	"errors"
	"io"

	"postern/internal/message"
	"postern/internal/spool"
)

// without gives the message without the fields that drop names; the content itself when there are none. A content that was
// made is the caller's to close.
func (f *Flow) without(c *spool.Content, m *message.Message, drop func(message.Field) bool) (*spool.Content, *message.Message, error) {
	found := false
	for _, field := range m.Header.Fields {
		found = found || drop(field)
	}
	if !found {
		return c, m, nil
	}
	w := f.Spool.NewWriter()
	defer w.Abort()
	for _, field := range m.Header.Fields {
		if drop(field) {
			continue
		}
		if _, err := w.Write(field.Raw); err != nil {
			return nil, nil, err
		}
	}
	header := int64(0)
	for _, field := range m.Header.Fields {
		header += int64(len(field.Raw))
	}
	if _, err := io.Copy(w, io.NewSectionReader(c, header, c.Size()-header)); err != nil {
		return nil, nil, err
	}
	clean, err := w.Finish()
	if err != nil {
		return nil, nil, err
	}
	if m, err = message.Parse(clean, clean.Size(), message.DefaultLimits); err != nil {
		return nil, nil, errors.Join(err, clean.Close())
	}
	return clean, m, nil
}
