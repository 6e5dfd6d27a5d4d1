package outbound

import (
	"fmt"
	"hash/maphash"
	"math"
	"net/netip"
	"slices"
	"time"

	"postern/internal/settings"
	"postern/internal/verdict"
)

const (
	// fade is the time in which a counter falls to 1/e. A stream of n an hour that goes on for long counts n; so does a burst
	// of n.
	fade = time.Hour
	// remembered is how many networks of an account are known as its own.
	remembered = 8
)

// counters are what an account did lately. All fade together, so that bringing them up to date costs one exponential.
type counters struct {
	messages, recipients, fresh, bounced, junk, moves float64

	at int64 // Unix nanoseconds to which the counters are true
	// networks are the last from which it sent, hashed, latest first; 0 is none.
	networks [remembered]uint32
}

// fadeTo brings the counters to a time. One before the last changes nothing: clocks step back.
func (c *counters) fadeTo(now time.Time) {
	passed := now.UnixNano() - c.at
	if passed <= 0 {
		return
	}
	c.at = now.UnixNano()
	f := math.Exp(-float64(passed) / float64(fade))
	c.messages *= f
	c.recipients *= f
	c.fresh *= f
	c.bounced *= f
	c.junk *= f
	c.moves *= f
}

// cameFrom counts a network unless the account is known to be there.
func (c *counters) cameFrom(network uint32) {
	i := slices.Index(c.networks[:], network)
	if i < 0 {
		c.moves++
		i = remembered - 1
	}
	copy(c.networks[1:i+1], c.networks[:i])
	c.networks[0] = network
}

// count adds a message to its account's counters and gives the reason why the account must be held, or "". The lock is held.
func (w *Watch) count(s Submission) string {
	o := w.o.Settings
	if !settings.OutboundEnabled.Get(o) {
		return ""
	}
	c := w.known.get(s.Account, s.At)
	c.messages++
	c.recipients += float64(max(s.Recipients, 0))
	c.fresh += float64(max(s.New, 0))
	if junk := settings.OutboundScore.Get(o); junk > 0 && s.Score >= verdict.Points(100*junk) {
		c.junk++
	}
	if s.Network.IsValid() {
		c.cameFrom(w.networkHash(s.Network))
	}
	return c.reason(o)
}

// networkHash is never 0.
func (w *Watch) networkHash(p netip.Prefix) uint32 {
	return uint32(maphash.Comparable(w.seed, p)) | 1
}

// reason names the first limit that is passed, the most telling first.
func (c *counters) reason(o *settings.Settings) string {
	for _, l := range [...]struct {
		count float64
		limit settings.IntKey
		what  string
	}{
		{c.junk, settings.OutboundJunkPerHour, "messages that look like spam"},
		{c.moves, settings.OutboundNetworksPerHour, "networks that it came from"},
		{c.bounced, settings.OutboundBouncesPerHour, "recipients whom other servers refused"},
		{c.fresh, settings.OutboundNewRecipientsPerHour, "recipients whom it never wrote to before"},
		{c.recipients, settings.OutboundRecipientsPerHour, "recipients"},
		{c.messages, settings.OutboundMessagesPerHour, "messages"},
	} {
		if limit := l.limit.Get(o); limit > 0 && l.count > float64(limit) {
			return fmt.Sprintf("%.0f %s within about an hour; %s is %d", math.Ceil(l.count), l.what, l.limit, limit)
		}
	}
	return ""
}
