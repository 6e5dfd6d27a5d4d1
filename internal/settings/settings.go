// Package settings is the server's policy: limits, time-outs, thresholds and retention, kept in the database, changed
// while the server runs and read on every road.
//
// catalogue.go lists every setting with its unit, range, default and reason. A reader holds a typed key and asks it for
// the value, which costs an array access in an immutable snapshot:
//
//	limit := settings.SMTPMaxMessageSize.Get(s)
//
// A change goes through [Settings.Set], which refuses what is out of range, stores it and swaps the snapshot; readers
// that must act on a change register with [Settings.OnChange]. What is needed to start the server at all (host name,
// listeners, database) is not here but in postern.toml.
package settings

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Kind is a setting's type.
type Kind int

// The kinds.
const (
	KindCount Kind = iota + 1
	KindSize
	KindDuration
	KindBool
	KindString
	KindList
	KindScore
)

func (k Kind) String() string {
	return [...]string{"", "count", "size", "duration", "bool", "string", "list", "score"}[k]
}

// Definition is an entry of the catalogue.
type Definition struct {
	Name    string
	Kind    Kind
	Unit    string
	Min     int64 // bytes, nanoseconds, hundredths or a number; for strings and lists the least length
	Max     int64 // the same, inclusive
	Default string
	Doc     string
	Secret  bool // never shown by List and Get
	// Check refuses a text or list element that cannot work and says how it should look; nil accepts all.
	Check func(string) error
}

// Typed keys: their methods give the current value.
type (
	// IntKey is a count or a size in bytes.
	IntKey int
	// DurationKey is a time.Duration.
	DurationKey int
	// BoolKey is a switch.
	BoolKey int
	// StringKey is a text.
	StringKey int
	// ListKey is a list of texts.
	ListKey int
	// ScoreKey is a score in hundredths of a point.
	ScoreKey int
)

// Get is the value now.
func (k IntKey) Get(s *Settings) int64 { return s.now.Load()[k].number }

// Get is the value now.
func (k DurationKey) Get(s *Settings) time.Duration { return time.Duration(s.now.Load()[k].number) }

// Get is the value now.
func (k BoolKey) Get(s *Settings) bool { return s.now.Load()[k].number != 0 }

// Get is the value now.
func (k StringKey) Get(s *Settings) string { return s.now.Load()[k].text }

// Get is the value now. It is shared: read only.
func (k ListKey) Get(s *Settings) []string { return s.now.Load()[k].list }

// Get is the value now: 500 for "5.00".
func (k ScoreKey) Get(s *Settings) int64 { return s.now.Load()[k].number }

// String is the key's name in the catalogue.
func (k IntKey) String() string      { return catalogue[k].Name }
func (k DurationKey) String() string { return catalogue[k].Name }
func (k BoolKey) String() string     { return catalogue[k].Name }
func (k StringKey) String() string   { return catalogue[k].Name }
func (k ListKey) String() string     { return catalogue[k].Name }
func (k ScoreKey) String() string    { return catalogue[k].Name }

// value is one setting in a snapshot.
type value struct {
	number int64
	text   string
	list   []string
	set    bool // differs from the catalogue by someone's wish
}

type snapshot [settingCount]value

// Settings are the values in force.
type Settings struct {
	now   atomic.Pointer[snapshot]
	store storage
	// invalid are the names of settings whose stored values were refused at Open.
	invalid []string

	mu        sync.Mutex
	watchers  map[int]func(name string)
	watcherID int
}

// storage keeps what was set; nil keeps nothing beyond the process.
type storage interface {
	put(ctx context.Context, name, text string, committed func()) error
	remove(ctx context.Context, name string, committed func()) error
}

// Defaults are the catalogue's values without a database behind them: for tests and for tools. Set changes the memory only.
func Defaults() *Settings {
	s := &Settings{watchers: map[int]func(string){}}
	s.now.Store(defaults())
	return s
}

func defaults() *snapshot {
	var snap snapshot
	for i := range catalogue {
		v, err := catalogue[i].parse(catalogue[i].Default)
		if err != nil {
			panic(fmt.Sprintf("settings: the catalogue's default of %s: %v", catalogue[i].Name, err)) // a test reads all of them
		}
		snap[i] = v
	}
	return &snap
}

// ErrUnknown means that no setting has the name.
var ErrUnknown = errors.New("no such setting")

// Set changes a setting. A value that does not fit is refused with its range and default, and nothing changes.
func (s *Settings) Set(ctx context.Context, name, text string) error {
	i, err := find(name)
	if err != nil {
		return err
	}
	v, err := catalogue[i].parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	v.set = true
	apply := func() { s.swap(i, v) }
	if s.store != nil {
		return s.store.put(ctx, name, catalogue[i].format(v), apply)
	}
	apply()
	return nil
}

// Reset gives a setting its default again.
func (s *Settings) Reset(ctx context.Context, name string) error {
	i, err := find(name)
	if err != nil {
		return err
	}
	v := defaults()[i]
	apply := func() { s.swap(i, v) }
	if s.store != nil {
		return s.store.remove(ctx, name, apply)
	}
	apply()
	return nil
}

func (s *Settings) swap(i int, v value) {
	s.mu.Lock()
	next := *s.now.Load()
	next[i] = v
	s.now.Store(&next)
	watchers := make([]func(string), 0, len(s.watchers))
	for _, fn := range s.watchers {
		watchers = append(watchers, fn)
	}
	s.mu.Unlock()
	for _, fn := range watchers {
		fn(catalogue[i].Name)
	}
}

// OnChange has fn called after each change with the setting's name, until cancel. fn must be short and must not call Set.
func (s *Settings) OnChange(fn func(name string)) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.watcherID
	s.watcherID++
	s.watchers[id] = fn
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, id)
	}
}

// Setting is an entry for showing: strings as Set takes them. A secret that is set shows as "********".
type Setting struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Default string `json:"default"`
	Changed bool   `json:"changed"`
	Kind    string `json:"kind"`
	Unit    string `json:"unit"`
	Range   string `json:"range"`
	Doc     string `json:"doc"`
}

// List gives all settings by name.
func (s *Settings) List() []Setting {
	list := make([]Setting, 0, settingCount)
	snap := s.now.Load()
	for i := range catalogue {
		list = append(list, catalogue[i].show(snap[i]))
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// Get gives one setting for showing, or [ErrUnknown].
func (s *Settings) Get(name string) (Setting, error) {
	i, err := find(name)
	if err != nil {
		return Setting{}, err
	}
	return catalogue[i].show(s.now.Load()[i]), nil
}

func find(name string) (int, error) {
	for i := range catalogue {
		if catalogue[i].Name == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%w: %q (`postern settings list` shows all)", ErrUnknown, name)
}

func (d *Definition) show(v value) Setting {
	text := d.format(v)
	if d.Secret && text != "" {
		text = "********"
	}
	return Setting{Name: d.Name, Value: text, Default: d.Default, Changed: v.set, Kind: d.Kind.String(), Unit: d.Unit, Range: d.bounds(), Doc: d.Doc}
}

// bounds is the range in words, such as "64KiB to 1GiB".
func (d *Definition) bounds() string {
	switch d.Kind {
	case KindBool:
		return "true or false"
	case KindString, KindList:
		what := "characters"
		if d.Kind == KindList {
			what = "entries"
		}
		return fmt.Sprintf("%d to %d %s", d.Min, d.Max, what)
	}
	return d.format(value{number: d.Min}) + " to " + d.format(value{number: d.Max})
}

// refuse tells what was wrong, and what would be right.
func (d *Definition) refuse(format string, args ...any) error {
	return fmt.Errorf("%s; give a %s from %s (default %s)", fmt.Sprintf(format, args...), d.Kind, d.bounds(), quoteEmpty(d.Default))
}

func quoteEmpty(s string) string {
	if s == "" {
		return "empty"
	}
	return s
}

func (d *Definition) parse(text string) (value, error) {
	text = strings.TrimSpace(text)
	switch d.Kind {
	case KindBool:
		b, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return value{}, d.refuse("%q is neither true nor false", text)
		}
		if b {
			return value{number: 1}, nil
		}
		return value{}, nil
	case KindString:
		return d.parseString(text)
	case KindList:
		return d.parseList(text)
	}
	n, err := parseNumber(d.Kind, text)
	if err != nil {
		return value{}, d.refuse("%q is not a %s: %v", text, d.Kind, err)
	}
	if n < d.Min || n > d.Max {
		return value{}, d.refuse("%s is out of range", text)
	}
	return value{number: n}, nil
}

func (d *Definition) parseString(text string) (value, error) {
	if n := int64(len(text)); n < d.Min || n > d.Max {
		return value{}, d.refuse("%d characters is out of range", n)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return value{}, d.refuse("control characters are not allowed")
	}
	if d.Check != nil && text != "" {
		if err := d.Check(text); err != nil {
			return value{}, err
		}
	}
	return value{text: text}, nil
}

func (d *Definition) parseList(text string) (value, error) {
	list := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
	if n := int64(len(list)); n < d.Min || n > d.Max {
		return value{}, d.refuse("%d entries is out of range", n)
	}
	for _, entry := range list {
		if d.Check == nil {
			break
		}
		if err := d.Check(entry); err != nil {
			return value{}, err
		}
	}
	return value{list: list}, nil
}

func (d *Definition) format(v value) string {
	switch d.Kind {
	case KindBool:
		return strconv.FormatBool(v.number != 0)
	case KindString:
		return v.text
	case KindList:
		return strings.Join(v.list, ",")
	case KindSize:
		return formatSize(v.number)
	case KindDuration:
		return formatDuration(time.Duration(v.number))
	case KindScore:
		return formatScore(v.number)
	}
	return strconv.FormatInt(v.number, 10)
}
