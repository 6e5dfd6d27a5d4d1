package resolver

import (
	"container/list"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"postern/internal/clock"
)

// maxCached bounds what all answers in memory take, in bytes: strangers' answers may be much larger than usual ones.
const maxCached = 32 << 20

// cache keeps answers until they expire, the most recently used up to a number and up to maxCached.
type cache struct {
	mu    sync.Mutex
	size  int
	bytes int
	clock clock.Clock
	byKey map[cacheKey]*list.Element
	order *list.List // of *kept, most recently used first
}

// cacheKey is a question: a canonical name and a type.
type cacheKey struct {
	name  string
	qtype uint16
}

// fqdn is the name as it goes into questions, and as the library writes it in what it has read: with a backslash before
// what means something in a zone file (RFC 1035 5.1). SPF makes such names of local parts like "o'brien".
func (k cacheKey) fqdn() string {
	if !strings.ContainsAny(k.name, special) {
		return k.name + "."
	}
	b := make([]byte, 0, 2*len(k.name))
	for i := range len(k.name) {
		if strings.IndexByte(special, k.name[i]) >= 0 {
			b = append(b, '\\')
		}
		b = append(b, k.name[i])
	}
	return string(append(b, '.'))
}

// special are the characters of names that the library puts a backslash before.
const special = `'@;()"`

type kept struct {
	key   cacheKey
	entry *entry
	bytes int
}

// bytes is about what an entry takes in memory.
func (e *entry) bytes() int {
	const each, value = 128, 32
	n := 5 * each
	for _, rr := range e.records {
		n += each + value + dns.Len(rr)
		if txt, ok := rr.(*dns.TXT); ok { // 16 bytes for each string, and four for a byte that is not printable
			for _, s := range txt.Txt {
				n += 16 + 2*len(s) // the second time joined
			}
		}
	}
	return n
}

func newCache(size int, c clock.Clock) *cache {
	return &cache{size: size, clock: c, byKey: make(map[cacheKey]*list.Element), order: list.New()}
}

// get gives what is kept under a key and still holds at a time.
func (c *cache) get(key cacheKey, now time.Time) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.byKey[key]
	if !ok {
		return nil
	}
	k := el.Value.(*kept)
	if !now.Before(k.entry.expires) {
		c.remove(el)
		return nil
	}
	c.order.MoveToFront(el)
	return k.entry
}

// put keeps an entry; one that is already over, as with a TTL of zero, is not kept.
func (c *cache) put(key cacheKey, e *entry) {
	if c.size <= 0 || !c.clock.Now().Before(e.expires) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.byKey[key]; ok {
		c.remove(el)
	}
	k := &kept{key, e, e.bytes()}
	c.byKey[key] = c.order.PushFront(k)
	c.bytes += k.bytes
	for len(c.byKey) > c.size || c.bytes > maxCached {
		c.remove(c.order.Back())
	}
}

func (c *cache) remove(el *list.Element) {
	k := el.Value.(*kept)
	delete(c.byKey, k.key)
	c.bytes -= k.bytes
	c.order.Remove(el)
}
