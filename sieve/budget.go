package sieve

import (
	"context"
	"errors"
)

// Budget is what a run may cost: steps of each script, the rest of all scripts of a sequence together. A limit that is not positive means its default.
type Budget struct {
	// Steps are commands, tests and comparisons, and for each comparison one more for each 64 bytes that it looks at: 2,000,000.
	Steps int
	// Memory is the bytes that variables, edited headers and decoded texts may take together: 16 MiB.
	Memory int
	// Redirects are addresses that a message is sent on to: 4.
	Redirects int
	// Notices are addresses that notices go to: 8.
	Notices int
	// Actions are all that scripts may ask for: 32.
	Actions int
	// Value is the longest value of a variable, in bytes, behind which it is cut off: 16 KiB. RFC 5229 4 asks for 4,000 characters.
	Value int
}

// ErrBudget is in the error of a script that asked for more than it may.
var ErrBudget = errors.New("the script asks for too much")

func (b Budget) orDefaults() Budget {
	for _, d := range []struct {
		limit *int
		usual int
	}{{&b.Steps, 2_000_000}, {&b.Memory, 16 << 20}, {&b.Redirects, 4}, {&b.Notices, 8}, {&b.Actions, 32}, {&b.Value, maxValue}} {
		if *d.limit <= 0 {
			*d.limit = d.usual
		}
	}
	return b
}

// Cost is what a run took of its budget.
type Cost struct {
	Steps  int `json:"steps"`
	Memory int `json:"memory"`
}

// flatCost is what an undertaking costs that has many small parts, however little it is about.
const flatCost = 16

// often is after how many steps it is looked whether the run is to be broken off.
const often = 4096

// spend takes steps from the budget.
func (m *machine) spend(steps int) error {
	if m.cost.Steps += steps; m.cost.Steps > m.budget.Steps {
		m.cost.Steps = m.budget.Steps + 1 // what it was to pay for is not done
		return m.failed(ErrBudget, "the script takes more than %d steps", m.budget.Steps)
	}
	if m.look -= steps; m.look > 0 {
		return nil
	}
	m.look = often
	if err := context.Cause(m.ctx); err != nil {
		return m.failed(err, "the script was broken off")
	}
	return nil
}

// waste pays in steps for memory that is let go of again; whether there are so many is found out by whoever spends next.
func (m *machine) waste(n int) { m.cost.Steps += n / bytesPerStep }

// bytesPerStep is how many bytes that are let go of cost a step.
const bytesPerStep = 8

// left is how many steps are to be had yet.
func (m *machine) left() int { return m.budget.Steps - m.cost.Steps }

// bytesCost is what looking at so many bytes costs.
func bytesCost(n int) int { return 1 + n/64 }

// take takes memory from the budget; what is given back is negative.
func (m *machine) take(n int) error {
	m.cost.Memory += n
	if m.cost.Memory > m.budget.Memory {
		return m.failed(ErrBudget, "the script takes more than %d bytes of memory", m.budget.Memory)
	}
	return nil
}
