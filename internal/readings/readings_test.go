package readings_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"postern/internal/readings"
)

func TestATextIsReadOnce(t *testing.T) {
	var m readings.Memory[int]
	reads := 0
	length := func(s string) (int, error) {
		reads++
		return len(s), nil
	}
	for range 3 {
		if n, err := m.Read("v=spf1 -all", length); n != 11 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if n, _ := m.Read("another", length); n != 7 || reads != 2 {
		t.Errorf("%d, %d reads", n, reads)
	}
}

func TestThatATextCannotBeReadIsRememberedToo(t *testing.T) {
	var m readings.Memory[int]
	reads, void := 0, errors.New("void")
	for range 3 {
		if _, err := m.Read("v=spf", func(string) (int, error) { reads++; return 0, void }); err != void || reads != 1 {
			t.Errorf("%v, %d reads", err, reads)
		}
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
		read := func(string) (int, error) { reads++; return reads, nil }
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

func upper(text string) (string, error) { return strings.ToUpper(text), nil }

func TestNoMemoryReadsAnew(t *testing.T) {
	var none *readings.Memory[string]
	if got, err := none.Read("a", upper); got != "A" || err != nil {
		t.Error(got, err)
	}
}

func TestManyReadAtTheSameTime(t *testing.T) {
	var m readings.Memory[string]
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 5000 {
				text := fmt.Sprint("a", i)
				if got, err := m.Read(text, upper); got != fmt.Sprint("A", i) || err != nil {
					t.Errorf("%s is read as %s, %v", text, got, err)
				}
			}
		})
	}
	all.Wait()
}
