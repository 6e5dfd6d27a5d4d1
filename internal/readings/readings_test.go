package readings_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"postern/internal/readings"
)

func TestATextIsReadOnce(t *testing.T) {
	var m readings.Memory[int]
	reads := 0
	length := func(s string) int {
		reads++
		return len(s)
	}
	for range 3 {
		if n := m.Read("v=spf1 -all", length); n != 11 {
			t.Errorf("%d", n)
		}
	}
	if m.Read("another", length) != 7 || reads != 2 {
		t.Errorf("%d reads", reads)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	for name, text := range map[string]func(i int) string{
		"many":  func(i int) string { return fmt.Sprint(i) },
		"long":  func(i int) string { return fmt.Sprint(strings.Repeat("x", 4000), i) },
		"large": func(i int) string { return fmt.Sprint(strings.Repeat("x", 5000), i) },
	} {
		var m readings.Memory[int]
		reads := 0
		read := func(string) int { reads++; return reads }
		const often = "asked for again and again"
		for i := range 20_000 {
			m.Read(text(i), read)
			m.Read(often, read)
		}
		if reads != 20_001 {
			t.Errorf("%s: what is asked for all the time was read %d times", name, reads-20_000)
		}
		kept := 0
		for i := range 20_000 {
			before := reads
			if m.Read(text(19_999-i), read); reads != before {
				break
			}
			kept++
		}
		if kept > 2*2048 || name == "long" && kept > 300 || name == "large" && kept > 0 {
			t.Errorf("%s: %d are remembered", name, kept)
		}
	}
}

func TestNoMemoryReadsAnew(t *testing.T) {
	var none *readings.Memory[string]
	if got := none.Read("a", strings.ToUpper); got != "A" {
		t.Error(got)
	}
}

func TestManyReadAtTheSameTime(t *testing.T) {
	var m readings.Memory[string]
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 5000 {
				if text := fmt.Sprint(i); m.Read(text, strings.Clone) != text {
					t.Errorf("%s is another", text)
				}
			}
		})
	}
	all.Wait()
}
