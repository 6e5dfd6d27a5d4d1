package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"postern/internal/address"
	"postern/internal/verdict"
)

// The index of traces. Whatever a trace is found by is hashed, and the hashes of 65,536 traces in a row make a segment: a
// range of the index that begins empty, fills and is then only read. So an insert touches a few megabytes that lie in
// memory, however much is kept, and a look-up asks each segment, of which a million traces have sixteen. What a hash leads
// to is compared with what was asked for.
const segmentBits = 16

func segmentOf(id int64) int64 { return id >> segmentBits }

// key is a row of the index.
type key struct{ segment, hash, trace int64 }

// What the hashes are of: one letter before it keeps the kinds apart.
const (
	ofTransaction = "i"
	ofMessageID   = "m"
	ofAccount     = "a"
	ofAddress     = "t"
)

func hash(kind, text string) int64 {
	var room [128]byte
	sum := sha256.Sum256(append(append(room[:0], kind...), text...))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

func hashAccount(account int64) int64 { return hash(ofAccount, strconv.FormatInt(account, 10)) }

// hashAddress is for recipients that are no account's: what is forwarded, or refused.
func hashAddress(text string) int64 { return hash(ofAddress, addressKey(text)) }

// addressKey is an address as it is compared.
func addressKey(text string) string {
	if a, err := address.Parse(text); err == nil {
		return a.Key()
	}
	return strings.ToLower(text)
}

// messageID is a Message-ID as it is compared: without the brackets, which people leave out.
func messageID(text string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "<"), ">")
}

// appendHashes appends what a trace is found by, each once.
func appendHashes(list []int64, t *verdict.Trace) []int64 {
	start := len(list)
	list = append(list, hash(ofTransaction, t.ID))
	if id := messageID(t.MessageID); id != "" {
		list = append(list, hash(ofMessageID, id))
	}
	for i := range t.Recipients {
		list = append(list, hashRecipient(&t.Recipients[i]))
	}
	slices.Sort(list[start:])
	return list[:start+len(slices.Compact(list[start:]))]
}

func hashRecipient(r *verdict.Recipient) int64 {
	if r.Account != 0 {
		return hashAccount(r.Account)
	}
	return hashAddress(r.Address)
}
