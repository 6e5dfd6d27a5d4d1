package sieve

import "strings"

// rejectWords refuse the message (RFC 5429). With ereject that is done while it comes in, if it can be; with reject the sender may
// be told by a message.
var rejectWords = []word{
	{name: "reject", from: "reject", args: []parameter{{aText, "reason"}}, command: compileReject(Reject)},
	{name: "ereject", from: "ereject", args: []parameter{{aText, "reason"}}, command: compileReject(EReject)},
}

func compileReject(kind Kind) func(*compiler, *use) func(*machine) error {
	return func(c *compiler, u *use) func(*machine) error {
		reason := u.args[0].text()
		return func(m *machine) error {
			if err := m.onlyForNew(string(kind)); err != nil {
				return err
			}
			why := reason.in(m)
			if err := m.spend(bytesCost(plainCost * len(why))); err != nil {
				return err
			}
			if err := m.do(Action{Kind: kind, Reason: plainText(why)}); err != nil {
				return err
			}
			m.result.cancelled = true
			return nil
		}
	}
}

// plainText is a text for people: UTF-8, its lines ended with LF, without other control characters than tabs.
func plainText(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\r\n", "\n"), "\uFFFD")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case r == '\n' || r == '\t':
			return r
		case r < ' ' || r == 0x7f:
			return -1
		}
		return r
	}, s)
}
