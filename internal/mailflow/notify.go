package mailflow

import (
	"bytes"
	"context"
	"fmt"
	"mime"
	"strings"

	"postern/internal/address"
	"postern/internal/message"
	"postern/internal/reply"
	"postern/internal/spool"
	"postern/smtp"
)

// Notify writes to the administrators' mailboxes: subject is a line, text are lines. Nothing of it leaves the server.
func (f *Flow) Notify(ctx context.Context, subject, text string) error {
	p := &plan{}
	for _, a := range f.Directory.Administrators() {
		p.accounts = append(p.accounts, copyFor{account: a.ID, to: a.Address})
	}
	if len(p.accounts) == 0 {
		return reply.New(550, "5.1.1", "there is no administrator to notify: make one with `postern user add --admin`")
	}
	letter, err := f.noticeParcel(p, subject, text)
	if err != nil {
		return err
	}
	return f.commit(ctx, letter)
}

// noticeParcel is a letter of the server's to people here, who all get the same.
func (f *Flow) noticeParcel(p *plan, subject, text string) (*parcel, error) {
	now := f.Clock.Now()
	from := address.Address{Local: "postmaster", Domain: p.accounts[0].to.Domain}
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: Postern <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <notice.%d@%s>\r\n",
		from, p.accounts[0].to, mime.QEncoding.Encode("utf-8", foldedLine(subject)), now.Format(dateForm), now.UnixNano(), f.Hostname)
	b.WriteString("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(line, "\r\n") + "\r\n")
	}
	content := spool.FromBytes(b.Bytes())
	m, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		return nil, err
	}
	return &parcel{envelope: &smtp.Envelope{}, content: content, parsed: m, plan: p, notice: true}, nil
}
