package main

import (
	"fmt"
	"slices"
	"time"
)

// comparison measures one kind of delivery beside another.
type comparison struct {
	what        string // what stands on the other side, such as "bare"
	connections int
	count       int // messages of each run
	write       writer
	anew        bool                        // each letter comes by a connection of its own
	set         func(l *lab, on bool) error // makes the server do the one or the other
}

// turns is how often each kind has its turn.
const turns = 4

// measure lets the two kinds take turns, so that what else the machine does weighs on both alike: without, with, with,
// without, and so on.
func (c comparison) measure(l *lab) (string, error) {
	run := func(on bool, count int) (load, error) {
		if err := c.set(l, on); err != nil {
			return load{}, err
		}
		return l.pourLetters(pouring{connections: c.connections, count: count, to: "bob@example.test", write: c.write, anew: c.anew,
			dial: func() (*mailer, error) { return dialMX(l) }})
	}
	if _, err := run(true, 200); err != nil { // warm
		return "", err
	}
	var pairs []pair
	for turn := range turns * l.scale {
		var p pair
		for _, kind := range [2]int{turn % 2, 1 - turn%2} {
			var err error
			if p[kind], err = run(kind == 1, c.count); err != nil {
				return "", err
			}
		}
		pairs = append(pairs, p)
	}
	return describe(pairs, c.what), nil
}

// pair is what came of a run without and of one with what is measured.
type pair [2]load

// describe compares the runs by the time that a message took, counted from the first to the last over all connections, and by
// the server's processor time.
func describe(pairs []pair, what string) string {
	var rate, cpu [2]time.Duration
	var ratios []float64
	for _, p := range pairs {
		for kind := range p {
			rate[kind] += time.Duration(float64(time.Second) / p[kind].rate)
			cpu[kind] += p[kind].cpu
		}
		ratios = append(ratios, float64(p[1].cpu)/float64(p[0].cpu))
	}
	runs := time.Duration(len(pairs))
	return fmt.Sprintf("%.2fx of %s in time: %.3f ms a message, %s %.3f ms; %.2fx in CPU (%.2f to %.2f in pairs): %.3f ms, %s %.3f ms",
		float64(rate[1])/float64(rate[0]), what, milliseconds(rate[1]/runs), what, milliseconds(rate[0]/runs),
		float64(cpu[1])/float64(cpu[0]), slices.Min(ratios), slices.Max(ratios), milliseconds(cpu[1]/runs), what, milliseconds(cpu[0]/runs))
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
