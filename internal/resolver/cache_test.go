package resolver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"postern/internal/clock"
)

func TestLargeAnswersAreKeptUpToABoundInBytes(t *testing.T) {
	now := clock.NewManual(time.Unix(1e9, 0))
	c := newCache(10000, now)
	large := &dns.TXT{Hdr: dns.RR_Header{Rrtype: dns.TypeTXT}, Txt: slices.Repeat([]string{strings.Repeat("x", 255)}, 256)}
	key := func(i int) cacheKey { return cacheKey{fmt.Sprintf("h%d.example", i), dns.TypeTXT} }
	for i := range 2000 {
		c.put(key(i), &entry{records: []dns.RR{large}, expires: now.Now().Add(time.Minute)})
	}
	if n := len(c.byKey); n == 0 || n*64<<10 > maxCached || n != c.order.Len() {
		t.Errorf("%d answers of 64 KiB are kept", n)
	}
	if c.get(key(1999), now.Now()) == nil || c.get(key(0), now.Now()) != nil {
		t.Error("not the latest are kept")
	}
	now.Advance(time.Hour)
	for i := range 2000 {
		c.get(key(i), now.Now())
	}
	if c.bytes != 0 {
		t.Errorf("%d bytes are kept of nothing", c.bytes)
	}
}
