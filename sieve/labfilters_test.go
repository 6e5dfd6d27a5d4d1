package sieve

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"postern/internal/message"
)

// What filters before this server found is read from a field of the message, as the settings sieve_spamtest_* and sieve_virustest_* say:
// a number with a highest value, a text of which the length counts, or one of some texts.

// Spam is from 1 to 10, and from 0 to 100.
func (l *lab) Spam() (score, percent int, tested bool) {
	ratio, number, tested := l.found("spamtest", 10)
	if number > 0 {
		return number, (number - 1) * 100 / 9, true
	}
	return 1 + int(ratio*9+0.001), int(ratio*100 + 0.001), tested
}

// Virus is from 1 to 5.
func (l *lab) Virus() int {
	ratio, number, tested := l.found("virustest", 5)
	if !tested {
		return 0
	}
	return max(number, 1+int(ratio*4+0.001))
}

// found gives the part of the highest value that a filter gave, from 0 to 1, or the number that its text stands for.
func (l *lab) found(filter string, highest int) (ratio float64, number int, tested bool) {
	status, ok := l.fieldOf(l.setting("sieve_"+filter+"_status_header", ""))
	if !ok {
		return 0, 0, false
	}
	how := l.setting("sieve_"+filter+"_status_type", "score")
	if how == "text" {
		return l.textOf(filter, status, highest)
	}
	most := l.either(filter, "max_value")
	if field, ok := l.fieldOf(l.either(filter, "max_header")); ok {
		most = field
	}
	top, err := strconv.ParseFloat(most, 64)
	if err != nil || top == 0 {
		return 0, 0, false
	}
	value := float64(len(status))
	if how == "score" {
		if value, err = strconv.ParseFloat(status, 64); err != nil {
			return 0, 0, false
		}
	}
	return min(max(value/top, 0), 1), 0, true
}

// textOf finds the number that a text stands for; 0 is for a message that was not tested.
func (l *lab) textOf(filter, status string, highest int) (ratio float64, number int, tested bool) {
	for n := range highest + 1 {
		for _, name := range []string{fmt.Sprintf("sieve_%s_text_value%d", filter, n), fmt.Sprintf("sieve_%s_text_value/%d", filter, n)} {
			if l.setting(name, "") == status {
				return 0, n, n > 0
			}
		}
	}
	return 0, 0, false
}

// either is a setting that has an older name.
func (l *lab) either(filter, name string) string {
	return cmp.Or(l.setting("sieve_"+filter+"_score_"+name, ""), l.setting("sieve_"+filter+"_"+name, ""))
}

// fieldOf gives the value of a field that is written as its name and perhaps a regular expression, of which the first group counts.
func (l *lab) fieldOf(written string) (value string, ok bool) {
	name, expression, hasExpression := strings.Cut(written, ":")
	fields := message.ParseHeader(l.message.content).All(strings.TrimSpace(name))
	if written == "" || len(fields) == 0 {
		return "", false
	}
	value = strings.TrimSpace(fields[0].Value())
	if !hasExpression {
		return value, true
	}
	r, err := regexp.CompilePOSIX(strings.TrimSpace(expression))
	if err != nil {
		return "", false
	}
	met := r.FindStringSubmatch(value)
	if met == nil {
		return "", false
	}
	return met[len(met)-1], true
}
