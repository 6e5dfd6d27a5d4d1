package tlsrpt

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"postern/internal/oneline"
)

// Read reads one report. Errors say what is wrong with it and how to go on.
func Read(r io.Reader) (*Report, error) {
	limited := &io.LimitedReader{R: r, N: MaxBytes + 1}
	d := json.NewDecoder(withoutMark(limited))
	d.UseNumber()
	p := &parser{d: d}
	report := &Report{}
	if err := p.object(func(key string) error { return p.report(report, key) }); err != nil {
		if limited.N <= 0 {
			return nil, ErrTooLarge
		}
		return nil, broken(err)
	}
	if report.ID == "" && len(report.Policies) == 0 {
		return nil, ErrNoReport
	}
	for i := range report.Policies {
		report.Policies[i].total()
	}
	return report, nil
}

// untold stands for a total that the report has not told so far.
const untold = -1

// total fills in the number of failures where the report tells of each kind and not of all together.
func (o *Policy) total() {
	if o.Failures != untold {
		return
	}
	o.Failures = 0
	for _, f := range o.Details {
		o.Failures = min(o.Failures+f.Count, MaxCount)
	}
}

// withoutMark passes over a byte order mark, which JSON should not have and some programs write.
func withoutMark(r io.Reader) io.Reader {
	b := bufio.NewReader(r)
	if mark, _ := b.Peek(3); string(mark) == "\ufeff" {
		_, _ = b.Discard(len(mark))
	}
	return b
}

func broken(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("the TLS report is broken JSON at byte %d (%s); ask its sender to mend it", syntax.Offset, syntax)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the TLS report ends in its middle; ask its sender for it again")
	}
	return err
}

// parser walks the tokens. Each of its functions reads one value whole.
type parser struct {
	d       *json.Decoder
	depth   int
	tokens  int
	details int
}

func (p *parser) token() (json.Token, error) {
	t, err := p.d.Token()
	if err != nil {
		return nil, err
	}
	if d, ok := t.(json.Delim); ok {
		if d == '{' || d == '[' {
			p.depth++
		} else {
			p.depth--
		}
	}
	if p.tokens++; p.tokens > maxTokens || p.depth > maxDepth {
		return nil, ErrTooLarge
	}
	return t, nil
}

// object calls on for each key of an object; on reads the value. Anything but an object is passed over.
func (p *parser) object(on func(key string) error) error {
	t, err := p.token()
	if err != nil || t != json.Delim('{') {
		return p.rest(t, err)
	}
	return p.members(on)
}

// members is object behind its brace.
func (p *parser) members(on func(key string) error) error {
	for p.d.More() {
		key, err := p.token()
		if err != nil {
			return err
		}
		text, _ := key.(string)
		if err := on(strings.ToLower(text)); err != nil {
			return err
		}
	}
	_, err := p.token()
	return err
}

// objects reads an array of objects; a single object is an array too. Each makes room for one and gives what reads it.
// Anything else is passed over.
func (p *parser) objects(each func() (on func(key string) error, err error)) error {
	t, err := p.token()
	if err != nil || t != json.Delim('[') {
		return p.element(t, err, each)
	}
	for p.d.More() {
		t, err := p.token()
		if err := p.element(t, err, each); err != nil {
			return err
		}
	}
	_, err = p.token()
	return err
}

// element reads a value whose first token is t, if it is an object.
func (p *parser) element(t json.Token, err error, each func() (on func(key string) error, err error)) error {
	if err != nil || t != json.Delim('{') {
		return p.rest(t, err)
	}
	on, err := each()
	if err != nil {
		return err
	}
	return p.members(on)
}

// rest reads to the end of a value whose first token is t.
func (p *parser) rest(t json.Token, err error) error {
	if d, ok := t.(json.Delim); err != nil || !ok || d == '}' || d == ']' {
		return err
	}
	for outside := p.depth - 1; p.depth > outside; {
		if _, err := p.token(); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) skip() error {
	t, err := p.token()
	return p.rest(t, err)
}

// text reads a text; a number is one too, and of a list, which some write for a single text, the first counts.
func (p *parser) text(into *string) error {
	texts, err := p.texts()
	if len(texts) > 0 {
		*into = texts[0]
	}
	return err
}

// texts reads a list of texts; a single one is a list too.
func (p *parser) texts() (list []string, err error) {
	t, err := p.token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('[') {
		if text, ok := scalar(t); ok {
			list = append(list, text)
		}
		return list, p.rest(t, nil)
	}
	for p.d.More() {
		t, err := p.token()
		if text, ok := scalar(t); ok && len(list) < maxLines {
			list = append(list, text)
		}
		if err := p.rest(t, err); err != nil {
			return nil, err
		}
	}
	_, err = p.token()
	return list, err
}

func scalar(t json.Token) (string, bool) {
	switch t := t.(type) {
	case string:
		return oneline.Text(t, maxText), true
	case json.Number:
		return oneline.Text(t.String(), maxText), true
	}
	return "", false
}

func (p *parser) word(into *string) error {
	err := p.text(into)
	*into = strings.ToLower(*into)
	return err
}

func (p *parser) domain(into *string) error {
	err := p.word(into)
	*into = strings.TrimSuffix(*into, ".")
	return err
}

func (p *parser) count(into *int64) error {
	var text string
	if err := p.text(&text); err != nil || text == "" {
		return err
	}
	n, err := json.Number(text).Float64()
	if err != nil || n < 0 || n > MaxCount || n != math.Trunc(n) {
		return fmt.Errorf("%q in the TLS report is no number of sessions; ask its sender to mend it", text)
	}
	*into = int64(n)
	return nil
}

func (p *parser) time(into *time.Time) error {
	var text string
	if err := p.text(&text); err != nil || text == "" {
		return err
	}
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil { // as in DMARC's reports
		*into = time.Unix(int64(seconds), 0).UTC()
		return nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 {
			*into = t.UTC()
			return nil
		}
	}
	return fmt.Errorf("%q in the TLS report is no time; ask its sender to mend it", text)
}

func (p *parser) address(into *netip.Addr) error {
	var text string
	err := p.text(&text)
	if ip, bad := netip.ParseAddr(strings.Trim(text, "[]")); bad == nil {
		*into = ip.Unmap().WithZone("")
	}
	return err
}

func (p *parser) report(r *Report, key string) error {
	switch key {
	case "organization-name":
		return p.text(&r.Org)
	case "contact-info":
		return p.text(&r.Contact)
	case "report-id":
		return p.text(&r.ID)
	case "date-range":
		return p.object(func(key string) error {
			switch key {
			case "start-datetime":
				return p.time(&r.Begin)
			case "end-datetime":
				return p.time(&r.End)
			}
			return p.skip()
		})
	case "policies":
		return p.objects(func() (func(string) error, error) {
			if len(r.Policies) == maxPolicies {
				return nil, ErrTooLarge
			}
			r.Policies = append(r.Policies, Policy{Failures: untold})
			o := &r.Policies[len(r.Policies)-1]
			return func(key string) error { return p.policy(o, key) }, nil
		})
	}
	return p.skip()
}

func (p *parser) policy(o *Policy, key string) error {
	switch key {
	case "policy":
		return p.object(func(key string) error { return p.published(o, key) })
	case "summary":
		return p.object(func(key string) error {
			switch key {
			case "total-successful-session-count":
				return p.count(&o.Successes)
			case "total-failure-session-count":
				return p.count(&o.Failures)
			}
			return p.skip()
		})
	case "failure-details":
		return p.objects(func() (func(string) error, error) {
			if p.details++; p.details > maxDetails {
				return nil, ErrTooLarge
			}
			o.Details = append(o.Details, Failure{})
			f := &o.Details[len(o.Details)-1]
			return func(key string) error { return p.failure(f, key) }, nil
		})
	}
	return p.skip()
}

func (p *parser) published(o *Policy, key string) (err error) {
	switch key {
	case "policy-type":
		return p.word(&o.Type)
	case "policy-domain":
		return p.domain(&o.Domain)
	case "policy-string":
		o.Lines, err = p.texts()
		return err
	case "mx-host":
		o.MXHosts, err = p.texts()
		return err
	}
	return p.skip()
}

func (p *parser) failure(f *Failure, key string) error {
	switch key {
	case "result-type":
		return p.word(&f.Type)
	case "sending-mta-ip":
		return p.address(&f.SendingIP)
	case "receiving-ip":
		return p.address(&f.ReceivingIP)
	case "receiving-mx-hostname":
		return p.domain(&f.ReceivingHost)
	case "receiving-mx-helo":
		return p.text(&f.ReceivingHelo)
	case "failed-session-count":
		return p.count(&f.Count)
	case "additional-information", "additional-info-uri":
		return p.text(&f.Info)
	case "failure-reason-code", "failure-error-code":
		return p.text(&f.Reason)
	}
	return p.skip()
}
