package sieve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// duplicateWords are of duplicate (RFC 7352).
var duplicateWords = []word{
	{name: "duplicate", from: "duplicate", tags: []tag{{name: "handle", takes: aText}, {name: "header", takes: aText, group: "id"},
		{name: "uniqueid", takes: aText, group: "id"}, {name: "seconds", takes: aNumber}, {name: "last"}}, test: compileDuplicate},
}

const (
	// usualMemory and longestMemory are how long it is remembered that a message came (RFC 7352 3.3).
	usualMemory   = 7 * 24 * time.Hour
	longestMemory = 90 * 24 * time.Hour
	// maxSightings is how many ids a run may ask for.
	maxSightings = 32
)

// Sighting is a message that the duplicate test asked for, to be remembered once the scripts are done and what they want is done.
type Sighting struct {
	// Key tells it from others: a digest of the handle and the id, 64 hexadecimal digits.
	Key string `json:"key"`
	// For is how long it is remembered, from now.
	For time.Duration `json:"for"`
	// Known: it was seen before, and is remembered anew from now on.
	Known bool `json:"known,omitempty"`
}

// compileDuplicate asks whether a message with that id came already. What has no id is no duplicate (RFC 7352 3.1).
func compileDuplicate(c *compiler, u *use) func(*machine) (bool, error) {
	if v := u.tags["header"]; v != nil {
		c.checkFields(u, v)
	}
	memory := usualMemory
	if v := u.tags["seconds"]; v != nil {
		memory = time.Duration(min(v.number, uint64(longestMemory/time.Second))) * time.Second
	}
	return func(m *machine) (bool, error) {
		if err := m.onlyForNew("the duplicate test"); err != nil { // RFC 7352 3.4
			return false, err
		}
		id, ok, err := m.uniqueID(u)
		if !ok || err != nil || memory == 0 {
			return false, err
		}
		handle := ""
		if v := u.tags["handle"]; v != nil {
			handle = v.text().in(m)
		}
		if err := m.spend(bytesCost(len(handle) + len(id))); err != nil {
			return false, err
		}
		return m.sighted(Sighting{Key: digest(handle, id), For: memory}, u.has("last"))
	}
}

// uniqueID is what tells the message from others: the value of a field, or what the script says; ok is false for nothing.
func (m *machine) uniqueID(u *use) (id string, ok bool, err error) {
	if v := u.tags["uniqueid"]; v != nil {
		return v.text().in(m), true, nil
	}
	name := "Message-ID"
	if v := u.tags["header"]; v != nil {
		name = v.text().in(m)
	}
	return m.firstValue(name)
}

// firstValue is the value of the first field of a name, decoded; ok is false where there is none.
func (m *machine) firstValue(name string) (value string, ok bool, err error) {
	fields, err := m.named(&m.mail.top, name, selection{index: 1})
	if err != nil || len(fields) == 0 {
		return "", false, err
	}
	value, err = m.decode(fields[0])
	return strings.TrimSpace(value), true, err
}

// sighted asks the host, once for each key: within a run the answer stays the same (RFC 7352 3).
func (m *machine) sighted(s Sighting, last bool) (bool, error) {
	r := m.result
	known, asked := r.asked[s.Key]
	if !asked {
		if len(r.asked) == maxSightings {
			return false, m.failed(ErrBudget, "the duplicate test is asked for more than %d ids", maxSightings)
		}
		var err error
		if known, err = ask(m, func(ctx context.Context) (bool, error) { return m.host.Duplicate(ctx, s.Key) }); err != nil {
			return false, err
		}
		if r.asked == nil {
			r.asked = map[string]bool{}
		}
		r.asked[s.Key] = known
	}
	s.Known = known
	if (!known || last) && !slices.ContainsFunc(r.sightings, func(other Sighting) bool { return other.Key == s.Key }) {
		r.sightings = append(r.sightings, s)
	}
	return known, nil
}

// digest is a hash of texts, of which each counts where it stands.
func digest(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		sum := sha256.Sum256([]byte(t))
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}
