package settings

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Sizes are written with binary units, durations as Go writes them and in days, scores with two decimals.
const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	tib = 1 << 40
	day = 24 * time.Hour
)

// sizeUnits, largest first. A bare letter means the binary unit too: no one sets a mail server's limits in powers of ten.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", tib}, {"GiB", gib}, {"MiB", mib}, {"KiB", kib},
	{"TB", tib}, {"GB", gib}, {"MB", mib}, {"KB", kib},
	{"T", tib}, {"G", gib}, {"M", mib}, {"K", kib}, {"B", 1},
}

func parseNumber(kind Kind, text string) (int64, error) {
	switch kind {
	case KindSize:
		return parseSize(text)
	case KindDuration:
		d, err := parseDuration(text)
		return int64(d), err
	case KindScore:
		return parseScore(text)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errors.New("write a whole number")
	}
	return n, nil
}

func parseSize(text string) (int64, error) {
	unit := int64(1)
	for _, u := range sizeUnits {
		if len(text) > len(u.name) && strings.EqualFold(text[len(text)-len(u.name):], u.name) {
			text, unit = strings.TrimSpace(text[:len(text)-len(u.name)]), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, errors.New(`write a whole number with a unit, such as "50MiB"`)
	}
	return n * unit, nil
}

func formatSize(n int64) string {
	for _, u := range sizeUnits[:4] {
		if n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// ParseDuration reads a time as settings have it: "90s", "4h", "30d".
func ParseDuration(text string) (time.Duration, error) { return parseDuration(text) }

func parseDuration(text string) (time.Duration, error) {
	var total time.Duration
	rest := text
	if before, after, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseInt(before, 10, 64)
		if err != nil || n < 0 || n > int64(math.MaxInt64/day)-1 {
			return 0, errDuration
		}
		total, rest = time.Duration(n)*day, after
		if rest == "" {
			return total, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || d > math.MaxInt64-total {
		return 0, errDuration
	}
	return total + d, nil
}

var errDuration = errors.New(`write a number with a unit, such as "90s", "30m", "4h" or "5d"`)

func formatDuration(d time.Duration) string {
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	s = strings.TrimSuffix(s, "m0s") + map[bool]string{true: "m"}[strings.HasSuffix(s, "m0s")]
	return strings.TrimSuffix(s, "h0m") + map[bool]string{true: "h"}[strings.HasSuffix(s, "h0m")]
}

var errScore = errors.New(`write a number with at most two decimals, such as "5.00"`)

// parseScore reads a decimal number as hundredths, without a float between that would round.
func parseScore(text string) (int64, error) {
	whole, decimals, _ := strings.Cut(text, ".")
	digits, negative := strings.CutPrefix(whole, "-")
	if len(digits) == 0 || len(digits) > 12 || len(decimals) > 2 || strings.Trim(digits+decimals, "0123456789") != "" || strings.HasSuffix(text, ".") {
		return 0, errScore
	}
	n, err := strconv.ParseInt(digits+(decimals + "00")[:2], 10, 64)
	if err != nil {
		return 0, errScore
	}
	if negative {
		n = -n
	}
	return n, nil
}

func formatScore(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}
