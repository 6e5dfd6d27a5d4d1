package scanner

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"postern/internal/oneline"
	"postern/internal/verdict"
)

// rspamdReply is what is read of an answer of /checkv2.
type rspamdReply struct {
	Action     string                  `json:"action"`
	Score      *json.Number            `json:"score"`
	Required   *json.Number            `json:"required_score"`
	Thresholds map[string]json.Number  `json:"thresholds"`
	Symbols    map[string]rspamdSymbol `json:"symbols"`
	Milter     struct {
		Add map[string]json.RawMessage `json:"add_headers"`
	} `json:"milter"`
}

type rspamdSymbol struct {
	Score       json.Number `json:"score"`
	Description string      `json:"description"`
	Options     []string    `json:"options"`
}

// rspamdKind reads one of rspamd's actions. What it would discard without a word is refused instead, so that its sender is told.
func rspamdKind(action string) (Kind, bool) {
	switch action {
	case "no action":
		return Ham, true
	case "greylist":
		// Its module of that name would have made something else of it, had it a memory of who came again.
		return Greylist, true
	case "soft reject":
		return Defer, true
	case "add header", "rewrite subject", "quarantine":
		return Spam, true
	case "reject", "discard":
		return Reject, true
	}
	return "", false
}

// parseRspamd reads an answer: one JSON object.
func parseRspamd(answer []byte) (Result, error) {
	var reply rspamdReply
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	if err := d.Decode(&reply); err != nil {
		return Result{}, lying("its JSON is not understood: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Result{}, lying("it says more than one JSON value")
	}
	kind, ok := rspamdKind(reply.Action)
	if !ok {
		return Result{}, lying("its action %q is none of rspamd's", cut(reply.Action, 40))
	}
	if reply.Score == nil || reply.Required == nil {
		return Result{}, lying("its answer has no score")
	}
	r := Result{Name: "rspamd", Kind: kind}
	required := *reply.Required
	if n, ok := reply.Thresholds["add header"]; ok {
		required = n
	}
	var err error
	if r.Score, err = points(reply.Score.String()); err != nil {
		return Result{}, err
	}
	if r.Required, err = points(required.String()); err != nil {
		return Result{}, err
	}
	if err := errors.Join(r.takeSymbols(reply.Symbols), r.takeMilter(reply.Milter.Add)); err != nil {
		return Result{}, err
	}
	return r, nil
}

func (r *Result) takeSymbols(symbols map[string]rspamdSymbol) error {
	for name, s := range symbols {
		var p verdict.Points
		var err error
		if s.Score != "" {
			if p, err = points(s.Score.String()); err != nil {
				return err
			}
		}
		detail := s.Description
		if len(s.Options) > 0 {
			detail += " [" + strings.Join(s.Options[:min(len(s.Options), 10)], ", ") + "]"
		}
		part, err := symbol(name, detail, p)
		if err != nil {
			return err
		}
		r.Symbols = append(r.Symbols, part)
	}
	r.Symbols = weightiest(r.Symbols)
	return nil
}

// takeMilter takes what the module milter_headers would have in the message's header.
func (r *Result) takeMilter(add map[string]json.RawMessage) error {
	for _, name := range sortedKeys(add) {
		values, err := headerValues(add[name])
		if err != nil {
			return lying("the field %q has no value: %v", cut(name, 80), err)
		}
		for _, value := range values {
			f, wanted, err := newField(name, value)
			if err != nil {
				return err
			}
			if wanted {
				r.add(f)
			}
		}
	}
	return nil
}

func sortedKeys(m map[string]json.RawMessage) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// headerValues reads the forms that add_headers has: a text, an object with a value, or a list of these.
func headerValues(raw json.RawMessage) ([]string, error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	values := make([]string, 0, min(len(list), maxFields))
	for _, one := range list[:min(len(list), maxFields)] {
		var text string
		if json.Unmarshal(one, &text) != nil {
			var object struct {
				Value *string `json:"value"`
			}
			if err := json.Unmarshal(one, &object); err != nil || object.Value == nil {
				return nil, errors.New("neither a text nor an object with one")
			}
			text = *object.Value
		}
		values = append(values, text)
	}
	return values, nil
}

// rspamdError reads why a request was refused.
func rspamdError(answer []byte) string {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(answer, &said) != nil {
		return ""
	}
	return oneline.Text(said.Error, 200)
}
