package sieve

import (
	"context"
	"strings"

	"postern/internal/message"
)

// fromAddress reads the value of a :from: one address, perhaps with a name before it. The address is "" for what is none.
func fromAddress(s string) (address, name string) {
	if address = outAddress(s); address == "" {
		return "", ""
	}
	return address, oneLine(message.DecodeHeader(message.ParseAddressList(s, 1)[0].Name))
}

// checkFrom tells that a :from is no address (RFC 5230 4.3, RFC 5435 3.3).
func (c *compiler) checkFrom(u *use) {
	if v := u.tags["from"]; v != nil && v.text().isFixed() && outAddress(v.text().literal) == "" {
		c.problem(v.Position, "\"%s\" is no mail address; :from takes one, such as \"Ann <ann@example.org>\"", v.text().literal)
	}
}

// sender gives the address of a :from, "" if there is none. One that the account does not own is not used, and the script goes on
// (RFC 5230 4.3).
func (m *machine) sender(u *use) (address, name string, err error) {
	v := u.tags["from"]
	if v == nil {
		return "", "", nil
	}
	said := v.text().in(m)
	if address, name = fromAddress(said); address == "" {
		return "", "", m.wrong("\"%s\" is no mail address; :from takes one", strings.ToValidUTF8(clipText(said, 60), "?"))
	}
	owns, err := ask(m, func(ctx context.Context) (bool, error) { return m.host.Owns(ctx, address) })
	if err == nil && !owns {
		m.warn("%s is no address of this account, so it is not used as the sender", address)
		return "", "", nil
	}
	return address, name, err
}
