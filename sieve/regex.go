package sieve

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

const (
	// maxPattern is the longest regular expression, in bytes.
	maxPattern = 4 << 10
	// maxProgram is what it takes when it is compiled, in instructions.
	maxProgram = 10_000
	// maxSpan is how many characters the ranges in its brackets may hold together: each of them is looked up, with and without case.
	maxSpan = 200_000
)

// compileRegex reads an extended regular expression of POSIX (draft-ietf-sieve-regex); a line end is a character like others. The machine
// behind it never goes back, so its time is linear in the value; what it takes is estimated before it is made. leaves: what its groups
// meet is kept. The error says what is wrong with it.
func compileRegex(key string, caseless, leaves bool) (*pattern, error) {
	if len(key) > maxPattern {
		return nil, fmt.Errorf("the regular expression has %d bytes; %d are the most", len(key), maxPattern)
	}
	parsed, err := syntax.Parse(key, syntax.ClassNL|syntax.DotNL|syntax.OneLine)
	if err != nil {
		return nil, badRegex(err)
	}
	size, span := programSize(parsed), spanOf(key)
	switch {
	case size > maxProgram:
		return nil, fmt.Errorf("the regular expression %q is too costly; it counts to numbers that are too large", clipText(key, 40))
	case span > maxSpan:
		return nil, fmt.Errorf("the regular expression %q is too costly; its brackets have ranges of too many characters", clipText(key, 40))
	case parsed.MaxCap() > maxMatches && leaves:
		return nil, fmt.Errorf("the regular expression %q has %d groups; %d are the most", clipText(key, 40), parsed.MaxCap(), maxMatches)
	}
	flags := "(?s:"
	if caseless {
		flags = "(?is:"
	}
	expression, err := regexp.Compile(flags + key + ")")
	if err != nil {
		return nil, badRegex(err)
	}
	expression.Longest()
	p := &pattern{expression: expression, size: size + span/spanPerInstruction, bytes: len(key), threads: size}
	if leaves { // a thread of the machine behind it takes along where each group is
		p.threads = size * (1 + parsed.MaxCap()/groupsPerInstruction)
	}
	return p, nil
}

// What an expression costs.
const (
	// stepsPerInstruction is how many instructions of its program for one byte are a step.
	stepsPerInstruction = 8
	// groupsPerInstruction is how many groups make an instruction twice as dear.
	groupsPerInstruction = 8
	// spanPerInstruction is how many characters of ranges are as dear as an instruction.
	spanPerInstruction = 16
)

// programSize is how many instructions an expression takes, at most, when what is counted in it is written out.
func programSize(e *syntax.Regexp) int {
	size := 2
	for _, sub := range e.Sub {
		size += programSize(sub)
	}
	switch e.Op {
	case syntax.OpLiteral:
		size += len(e.Rune)
	case syntax.OpRepeat:
		size *= max(e.Min+1, e.Max)
	}
	return min(size, 1<<30)
}

// spanOf is how many characters the ranges in brackets hold together.
func spanOf(key string) (span int) {
	inside, last := false, rune(0)
	for i := 0; i < len(key); {
		c, n := utf8.DecodeRuneInString(key[i:])
		switch {
		case c == '\\':
			_, next := utf8.DecodeRuneInString(key[i+n:])
			n += next
			c = utf8.MaxRune // whatever it stands for
		case !inside && c == '[':
			inside = true
			if rest := strings.TrimPrefix(key[i+1:], "^"); strings.HasPrefix(rest, "]") {
				n += len(key[i+1:]) - len(rest) + 1
			}
		case inside && c == ']':
			inside = false
		case inside && strings.HasPrefix(key[i:], "[:"):
			if end := strings.Index(key[i:], ":]"); end > 0 {
				n = end + 2
			}
		case inside && c == '-':
			high, _ := utf8.DecodeRuneInString(key[i+1:])
			if high == '\\' || last == utf8.MaxRune {
				span += maxFolded
			} else if high != ']' {
				span += min(max(0, int(high-last)), maxFolded)
			}
		}
		last = c
		i += n
	}
	return span
}

// maxFolded is how many characters there are up to the last one that has a case.
const maxFolded = 0x1e943

// badRegex words what package regexp has to say.
func badRegex(err error) error {
	var wrong *syntax.Error
	if !errors.As(err, &wrong) {
		return fmt.Errorf("the regular expression cannot be read: %w", err)
	}
	return fmt.Errorf("invalid regular expression: %s at %q", wrong.Code, clipText(wrong.Expr, 40))
}

// matchExpression looks for the expression anywhere in the value. Its time is that of its instructions for each byte.
func (p *pattern) matchExpression(value string, leaves bool, most int) (met []string, cost int) {
	cost = 8 + len(value)*(4+p.threads)/stepsPerInstruction
	if cost > most {
		return nil, cost
	}
	if !leaves {
		if p.expression.MatchString(value) {
			return []string{}, cost
		}
		return nil, cost
	}
	found := p.expression.FindStringSubmatchIndex(value)
	for i := 0; i < len(found); i += 2 {
		group := ""
		if found[i] >= 0 {
			group = value[found[i]:found[i+1]]
		}
		met = append(met, group)
	}
	return met, cost
}
