package scanner

import (
	"bytes"
	"strconv"
	"strings"

	"postern/internal/message"
	"postern/internal/oneline"
	"postern/internal/verdict"
)

// spamdHeader is what stands before the content of an answer.
type spamdHeader struct {
	length   int64 // -1 when not told
	judged   bool
	spam     bool
	score    verdict.Points
	required verdict.Points
}

// parseSpamd reads the whole answer to HEADERS.
func parseSpamd(answer []byte) (Result, error) {
	status, rest, ok := cutLine(answer)
	if !ok {
		return Result{}, lying("its answer has no line")
	}
	if err := spamdStatus(status); err != nil {
		return Result{}, err
	}
	h, content, err := parseSpamdHeader(rest)
	if err != nil {
		return Result{}, err
	}
	if !h.judged {
		return Result{}, lying("its answer has no verdict, as to another command")
	}
	if h.length != int64(len(content)) {
		return Result{}, lying("it told %d bytes and sent %d", h.length, len(content))
	}
	r := Result{Name: "spamd", Kind: Ham, Score: h.score, Required: h.required}
	if h.spam {
		r.Kind = Spam
	}
	if err := r.takeSpamFields(content); err != nil {
		return Result{}, err
	}
	return r, nil
}

func cutLine(b []byte) (line string, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 || i > 1000 {
		return "", nil, false
	}
	return strings.TrimSuffix(string(b[:i]), "\r"), b[i+1:], true
}

// spamdStatus reads "SPAMD/1.1 0 EX_OK".
func spamdStatus(line string) error {
	version, status, _ := strings.Cut(line, " ")
	code, text, _ := strings.Cut(status, " ")
	number, isVersion := strings.CutPrefix(version, "SPAMD/")
	n, err := strconv.ParseUint(code, 10, 16)
	if !isVersion || !strings.HasPrefix(number, "1.") || err != nil {
		return lying("%q is no answer of spamd", cut(line, 80))
	}
	if n != 0 {
		return refusal{"it answers " + code + " " + oneline.Text(text, 200), Refused}
	}
	return nil
}

// maxSpamdLines bounds the header of an answer, which has two or three lines.
const maxSpamdLines = 20

func parseSpamdHeader(b []byte) (h spamdHeader, content []byte, err error) {
	h.length = -1
	for range maxSpamdLines {
		line, rest, ok := cutLine(b)
		if !ok {
			return h, nil, lying("its answer ends within the header")
		}
		if b = rest; line == "" {
			return h, b, nil
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-length":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil || h.length >= 0 {
				return h, nil, lying("its content has a length of %q", cut(value, 40))
			}
			h.length = int64(n)
		case "spam":
			if h.judged {
				return h, nil, lying("it gives two verdicts")
			}
			if err := h.verdict(value); err != nil {
				return h, nil, err
			}
		}
	}
	return h, nil, lying("its answer's header does not end")
}

// verdict reads "True ; 15.2 / 5.0".
func (h *spamdHeader) verdict(value string) (err error) {
	flag, scores, _ := strings.Cut(value, ";")
	score, required, _ := strings.Cut(scores, "/")
	switch strings.ToLower(strings.TrimSpace(flag)) {
	case "true", "yes":
		h.spam = true
	case "false", "no":
	default:
		return lying("%q is no verdict", cut(value, 80))
	}
	if h.score, err = points(strings.TrimSpace(score)); err != nil {
		return err
	}
	if h.required, err = points(strings.TrimSpace(required)); err != nil {
		return err
	}
	// Both are rounded to a tenth, so that 4.96 of 5 is "False ; 5.0 / 5.0".
	if h.spam && h.score < h.required || !h.spam && h.score > h.required {
		return lying("it says spam %t with a score of %s, %s being required", h.spam, h.score, h.required)
	}
	h.judged = true
	return nil
}

// takeSpamFields takes the X-Spam fields from the content, which is the message's header as spamd would have it. The rest of
// it, and X-Spam fields that do not say what the verdict says, are the sender's.
func (r *Result) takeSpamFields(content []byte) error {
	seen := map[string]bool{}
	for s := message.ScanHeader(content); s.Next() && len(r.Headers) < maxFields; {
		name := string(s.Name())
		key := strings.ToLower(name)
		if !strings.HasPrefix(key, "x-spam-") || seen[key] {
			continue
		}
		raw := s.Raw()
		f, wanted, err := newField(name, string(raw[bytes.IndexByte(raw, ':')+1:]))
		if err != nil {
			return err
		}
		if !wanted || r.contradicts(key, f.Value) {
			continue
		}
		seen[key] = true
		r.add(f)
		switch key {
		case "x-spam-status":
			r.takeTests(f.Value)
		case "x-spam-checker-version":
			r.Version = spamVersion(f.Value)
		}
	}
	r.Symbols = weightiest(r.Symbols)
	return nil
}

func (r *Result) contradicts(key, value string) bool {
	word := strings.ToLower(value)
	no, yes := strings.HasPrefix(word, "no"), strings.HasPrefix(word, "yes")
	switch key {
	case "x-spam-flag", "x-spam-status":
		return r.Kind == Spam && no || r.Kind == Ham && yes
	}
	return false
}

// takeTests reads the rules from X-Spam-Status: "tests=A,B", or "tests=A=1.5,B=0.1" where its template has _TESTSSCORES_. What
// it does not understand it leaves out: the template is the administrator's.
func (r *Result) takeTests(status string) {
	_, tests, ok := strings.Cut(status, "tests=")
	if !ok {
		return
	}
	// The list was folded behind commas, which left white space there; a word with no comma before it is the next item.
	tests = strings.NewReplacer(", ", ",", " ,", ",").Replace(tests)
	tests, _, _ = strings.Cut(tests, " ")
	for rule := range strings.SplitSeq(strings.Trim(tests, "[]"), ",") {
		name, score, _ := strings.Cut(rule, "=")
		p, err := points(score)
		if score != "" && err != nil {
			continue
		}
		if part, err := symbol(name, "", p); err == nil && name != "none" && len(r.Symbols) < 10*maxSymbols {
			r.Symbols = append(r.Symbols, part)
		}
	}
}

// spamVersion reads "SpamAssassin 4.0.1 (2024-03-25) on host".
func spamVersion(value string) string {
	words := strings.Fields(value)
	if len(words) < 2 {
		return ""
	}
	return oneline.Text(words[1], 40)
}
