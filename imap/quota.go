package imap

import (
	"strconv"

	"postern/imap/grammar"
)

// An account has one quota root, whose name is empty, for all its mailboxes. RFC 9208 3.2

// getQuota is GETQUOTA. RFC 9208 4.1.1
func (s *session) getQuota(c *grammar.GetQuota) answer {
	if c.Root != "" {
		return refuse("NONEXISTENT", "There is no such quota root")
	}
	return s.sayQuota()
}

// getQuotaRoot is GETQUOTAROOT; a mailbox need not exist. RFC 9208 4.1.2
func (s *session) getQuotaRoot(c *grammar.GetQuotaRoot) answer {
	b := append(s.buffer(), "* QUOTAROOT "...)
	b = grammar.AppendMailbox(b, c.Mailbox, s.rev2)
	s.out.buf = append(b, " \"\"\r\n"...)
	return s.sayQuota()
}

// sayQuota appends a QUOTA response with the resources that are limited; storage counts in units of 1,024 bytes.
// RFC 9208 4.2.1, 5.1
func (s *session) sayQuota() answer {
	q, err := s.account.Quota(s.ctx)
	if err != nil {
		return s.failed(err)
	}
	b := append(s.buffer(), "* QUOTA \"\" ("...)
	if q.LimitBytes > 0 {
		b = append(b, "STORAGE "...)
		b = strconv.AppendInt(b, (q.UsedBytes+1023)/1024, 10)
		b = append(b, ' ')
		b = strconv.AppendInt(b, q.LimitBytes/1024, 10)
	}
	if q.LimitMessages > 0 {
		if q.LimitBytes > 0 {
			b = append(b, ' ')
		}
		b = append(b, "MESSAGE "...)
		b = strconv.AppendInt(b, q.UsedMessages, 10)
		b = append(b, ' ')
		b = strconv.AppendInt(b, q.LimitMessages, 10)
	}
	s.out.buf = append(b, ")\r\n"...)
	return ok()
}
