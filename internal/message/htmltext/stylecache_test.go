package htmltext

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestStylesThatAreRememberedAreThoseThatWereRead(t *testing.T) {
	var texts []string
	for i := range 100 {
		texts = append(texts, fmt.Sprintf("color:#%06x;font-size:%dpx;width:%dpx", i*7919, i%3, i), fmt.Sprintf("display:%s;height:%d", []string{"none", "block"}[i%2], i))
	}
	texts = append(texts, "", "x", "color:#f", "color:inherit", "display:block")
	befores := []style{noStyle, {ways: NotDisplayed, color: 1, background: noColor, width: -1, height: -1}, {color: 2, background: 3}}
	var c styleCache
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 20_000 {
		// The same few most of the time, as in mail.
		text := []byte(texts[r.IntN(len(texts))*r.IntN(2)*r.IntN(2)])
		want := befores[r.IntN(len(befores))]
		got := want
		c.read(text, &got)
		readDeclarations(text, &want)
		if got != want {
			t.Fatalf("%q: %+v, want %+v", text, got, want)
		}
		if len(c.text) > cachedText {
			t.Fatalf("%d bytes are remembered", len(c.text))
		}
		if n%5000 == 0 {
			c.reset()
		}
	}
}
