package filter

import (
	"bytes"
	"context"
)

// noticeHead is how many bytes the marks of notices have in common, so that those of an account can be counted.
const noticeHead = 16

// NoticeMark is what a notice about a message is remembered by: one is enough, however often the message comes. What says which notice
// it is, and sum is the message's.
func NoticeMark(what string, sum [32]byte) Mark {
	m, head := markOf("notice", what, string(sum[:])), markOf("notices")
	copy(m[:noticeHead], head[:])
	return m
}

// Noticed counts the notices of an account that are remembered.
func (f *Filters) Noticed(ctx context.Context, account int64) (n int64, err error) {
	first, last := markOf("notices"), markOf("notices")
	copy(first[noticeHead:], make([]byte, noticeHead))
	copy(last[noticeHead:], bytes.Repeat([]byte{0xff}, noticeHead))
	err = f.DB.QueryRow(ctx, `SELECT COUNT(*) FROM sieve_marks WHERE account = ? AND mark >= ? AND mark <= ? AND until > ?`,
		account, first[:], last[:], f.Clock.Now().Unix()).Scan(&n)
	return n, err
}
