package judge

import (
	"slices"
	"sync"

	"postern/antispam/reputation"
	"postern/dkim"
	"postern/internal/mailauth"
)

// rememberedSignatures is how many signatures are known as counted.
const rememberedSignatures = 4096

// signatures are those of messages that were counted lately. A signed message can be sent again by anybody from anywhere: one
// that a spammer had a large provider sign counts against the provider once, not as often as it is replayed.
type signatures struct {
	mu    sync.Mutex
	known map[string]struct{}
	ring  []string // the same in the order of their coming
	next  int
}

// isNew remembers a signature and reports whether it was not known.
func (s *signatures) isNew(signature string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.known[signature]; ok {
		return false
	}
	if s.known == nil {
		s.known = make(map[string]struct{})
	}
	s.known[signature] = struct{}{}
	if len(s.ring) < rememberedSignatures {
		s.ring = append(s.ring, signature)
		return true
	}
	delete(s.known, s.ring[s.next])
	s.ring[s.next] = signature
	s.next = (s.next + 1) % len(s.ring)
	return true
}

// replayable names the signature that alone proves whom the message is counted for; "" when the client is vouched for too, or
// nothing is proven.
func replayable(r mailauth.Results, keys []reputation.Key) string {
	i := slices.IndexFunc(keys, func(k reputation.Key) bool { return k.Kind == reputation.AuthenticatedDomain })
	if i < 0 || r.SPF.Status == mailauth.Pass && mailauth.SameOrganization(r.SPF.Domain, keys[i].Name) {
		return ""
	}
	for _, s := range r.DKIM {
		if s.Result == dkim.ResultPass && !s.Testing && mailauth.SameOrganization(s.Domain, keys[i].Name) {
			return s.Domain + " " + s.Selector + " " + s.SignaturePrefix
		}
	}
	return ""
}

// countable are the keys that a message is counted under: if it was counted before, only those of who sent it this time.
func (j *Judge) countable(v *Judgement) []reputation.Key {
	signature := replayable(v.Auth, v.keys)
	if signature == "" || j.counted.isNew(signature) {
		return v.keys
	}
	return slices.DeleteFunc(slices.Clone(v.keys), func(k reputation.Key) bool { return k.Kind != reputation.Network })
}
