// Package srs rewrites the reverse-path of mail that is forwarded, so that the next server's SPF check sees a domain of
// ours and a bounce finds its way back through us (the Sender Rewriting Scheme: SRS0=hash=day=domain=local@forwarder).
//
// The hash keeps strangers from making us relay to any address, the day makes an address useless after a while.
package srs

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"
	"time"

	"postern/internal/address"
)

// ErrForeign means that the address is not one that was rewritten here.
var ErrForeign = errors.New("not an address rewritten by this server")

// ErrExpired means that the address was rewritten here, too long ago.
var ErrExpired = errors.New("the rewritten address has expired")

const (
	prefix   = "SRS0="
	lifetime = 21 // days that a bounce may take
	days     = 1024
)

var encoding = base32.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567").WithPadding(base32.NoPadding)

// Rewriter rewrites with a secret of this server.
type Rewriter struct {
	Key []byte
}

// Forward gives the reverse-path for mail from that is forwarded in the name of domain. The null reverse-path stays.
func (r Rewriter) Forward(from address.Address, domain string, now time.Time) address.Address {
	if from.IsZero() || from.Domain == domain {
		return from
	}
	day := dayCode(now)
	local := prefix + r.hash(day, from) + "=" + day + "=" + from.Domain + "=" + from.Local
	if len(local) > 64 { // RFC 5321 4.5.3.1.1: what the next server may refuse is not sent
		return address.Address{}
	}
	return address.Address{Local: local, Domain: domain}
}

// Reverse gives the address that was rewritten to a.
func (r Rewriter) Reverse(a address.Address, now time.Time) (address.Address, error) {
	if len(a.Local) < len(prefix) || !strings.EqualFold(a.Local[:len(prefix)], prefix) {
		return address.Address{}, ErrForeign
	}
	parts := strings.SplitN(a.Local[len(prefix):], "=", 4)
	if len(parts) != 4 {
		return address.Address{}, ErrForeign
	}
	day := strings.ToUpper(parts[1])
	original := address.Address{Local: parts[3], Domain: strings.ToLower(parts[2])}
	if !hmac.Equal([]byte(strings.ToUpper(parts[0])), []byte(r.hash(day, original))) {
		return address.Address{}, ErrForeign
	}
	for age := range lifetime {
		if dayCode(now.AddDate(0, 0, -age)) == day {
			return original, nil
		}
	}
	return address.Address{}, ErrExpired
}

// hash is short, since a local part has 64 octets; guessing it means sending 2^40 messages within three weeks.
func (r Rewriter) hash(day string, a address.Address) string {
	mac := hmac.New(sha256.New, r.Key)
	mac.Write([]byte(day + "\x00" + strings.ToLower(a.Domain) + "\x00" + strings.ToLower(a.Local)))
	return encoding.EncodeToString(mac.Sum(nil)[:5])
}

func dayCode(t time.Time) string {
	n := t.Unix() / 86400 % days
	return encoding.EncodeToString([]byte{byte(n >> 2), byte(n&3) << 6})[:2]
}
