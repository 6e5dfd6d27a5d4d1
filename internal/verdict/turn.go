package verdict

import (
	"cmp"
	"slices"
)

// Turn is something that would have changed what was done.
type Turn struct {
	// If says what would have been otherwise: "0.80 points more", "without rules (3.10 points)".
	If string
	// Action is what would have been done then.
	Action Action
}

// Turns tells by what a decision would have gone otherwise: the points that lack for another outcome and those that are too
// many, and each single thing without which it were another. It asks Decide, so it is right whatever the policy's lines are.
func Turns(message, own []Check, p Policy) []Turn {
	is := Decide(message, own, p)
	var turns []Turn
	turn := func(condition string, v Verdict) bool {
		if v.Action == is.Action {
			return false
		}
		turns = append(turns, Turn{condition, v.Action})
		return true
	}
	more, less := steps(is.Score, p)
	for _, d := range more {
		if turn(d.String()+" points more", Decide(message, with(own, Check{Points: d}), p)) {
			break
		}
	}
	for _, d := range less {
		if turn(d.String()+" points less", Decide(message, with(own, Check{Points: -d}), p)) {
			break
		}
	}
	for i, c := range message {
		turn(without(c), Decide(cut(message, i), own, p))
	}
	for i, c := range own {
		turn(without(c), Decide(message, cut(own, i), p))
	}
	if asks := p.DMARC; asks != "" {
		p.DMARC = "none"
		turn("if nothing asked for "+asks+" by DMARC", Decide(message, own, p))
	}
	return turns
}

// steps are what lacks to the thresholds above a score, and what is too much for those that it reaches, nearest first.
func steps(score Points, p Policy) (more, less []Points) {
	for _, threshold := range [...]Points{p.Tag, p.Greylist, p.Junk, p.Reject} {
		switch {
		case threshold == 0: // never reached
		case threshold > score:
			more = append(more, threshold-score)
		default:
			less = append(less, score-threshold+1)
		}
	}
	slices.SortFunc(more, cmp.Compare[Points])
	slices.SortFunc(less, cmp.Compare[Points])
	return more, less
}

func without(c Check) string {
	if c.Points == 0 {
		return "without " + c.Name + " (" + c.Result + ")"
	}
	return "without " + c.Name + " (" + c.Result + ", " + c.Points.String() + " points)"
}

func with(list []Check, c Check) []Check { return append(slices.Clone(list), c) }

func cut(list []Check, i int) []Check { return slices.Delete(slices.Clone(list), i, i+1) }
