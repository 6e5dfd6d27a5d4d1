package dkim_test

import (
	"strings"
	"testing"

	"postern/dkim"
)

// fourKiB is a message of an ordinary size.
var fourKiB = sample + strings.Repeat("Some words on a line, as people write them.\r\n", 85)

// BenchmarkVerify is one signature by each kind of key, and none, with keys that are at hand.
func BenchmarkVerify(b *testing.B) {
	keys, z := newKeys(b)
	for name, content := range map[string]string{
		"unsigned": fourKiB, "rsa": sign(b, keys[:1], "", fourKiB), "ed25519": sign(b, keys[1:], "", fourKiB),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				list, err := dkim.Verify(b.Context(), strings.NewReader(content), int64(len(content)), z.lookup, now)
				if err != nil || len(list) > 0 && list[0].Result != dkim.ResultPass {
					b.Fatal(list, err)
				}
			}
		})
	}
}

// BenchmarkSeal adds the first set of a chain, and then verifies it.
func BenchmarkSeal(b *testing.B) {
	keys, z := newKeys(b)
	s := dkim.Sealing{Key: keys[0], Arrived: dkim.Chain{Result: dkim.ResultNone}, Results: "mx.example.test; dmarc=pass header.from=example.test", Time: now}
	b.Run("add", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := dkim.Seal(strings.NewReader(fourKiB), int64(len(fourKiB)), s); err != nil {
				b.Fatal(err)
			}
		}
	})
	sealed := seal(b, fourKiB, s)
	b.Run("verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c, err := dkim.VerifyARC(b.Context(), strings.NewReader(sealed), int64(len(sealed)), z.lookup, now)
			if err != nil || c.Result != dkim.ResultPass {
				b.Fatal(c, err)
			}
		}
	})
}
