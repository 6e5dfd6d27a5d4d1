package antispam

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"

	"postern/antispam/bayes"
	"postern/antispam/lexicon"
	"postern/internal/verdict"
)

//go:generate go run postern/scripts/prior -out bayes.prior

//go:embed bayes.prior
var shippedPrior []byte

// Engine scores messages. Its methods may be called concurrently.
type Engine struct {
	lexicon *lexicon.Lexicon
	prior   *bayes.Prior
	tables  []table
	pool    sync.Pool
}

// New makes an engine with the prior that the program carries.
func New() *Engine {
	prior, err := bayes.DecodePrior(shippedPrior)
	if err != nil {
		panic(err) // a test reads it
	}
	return NewWithPrior(prior)
}

// NewWithPrior makes an engine that knows of words what the prior says; nil knows nothing.
func NewWithPrior(prior *bayes.Prior) *Engine {
	e := &Engine{lexicon: lexicon.New(), prior: prior, tables: tables()}
	e.pool.New = func() any {
		f := &Findings{features: &features{phrases: lexicon.Matcher{Lexicon: e.lexicon}}}
		f.phrases.Reset()
		f.word = f.readWord
		return f
	}
	return e
}

// Version names the table of points, for traces.
const Version = "postern-1"

// Findings are what was found in one message.
type Findings struct {
	*features
	engine *Engine
	scorer bayes.Scorer
}

// Examine reads a message. The error is one of reading the content. The caller calls Close when it is done with the
// findings.
func (e *Engine) Examine(m *Mail) (*Findings, error) {
	f := e.pool.Get().(*Findings)
	f.engine = e
	f.reset()
	f.readHeader(m)
	f.readRelay(m)
	f.readStructure(m)
	if err := f.readTexts(m); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Close gives the memory back.
func (f *Findings) Close() { f.engine.pool.Put(f) }

// Named tells the client's confirmed name in the DNS, "" for none, where it was asked for while the message was read. It
// must come before Rules.
func (f *Findings) Named(name string, asked bool) {
	f.relay.name, f.relay.asked = strings.ToLower(name), asked
}

// FromList reports whether the message says that it comes from a mailing list.
func (f *Findings) FromList() bool { return f.header.list }

// Rules is the check of the rules.
func (f *Findings) Rules() verdict.Check {
	c := verdict.Check{Name: verdict.CheckRules, Result: "none"}
	for _, table := range f.engine.tables {
		for i := range table.rules {
			if r := &table.rules[i]; r.when(f.features) {
				if c.Parts == nil {
					c.Parts = make([]verdict.Part, 0, 8)
				}
				p := verdict.Part{Name: r.name, Detail: r.about, Points: verdict.P(r.points)}
				c.Parts = append(c.Parts, p)
				c.Points += p.Points
			}
		}
	}
	if len(c.Parts) > 0 {
		c.Result = strconv.Itoa(len(c.Parts))
	}
	return c
}

// Tokens are what training takes: the words, and where the message is from and how it is made. The slice is the caller's.
func (f *Findings) Tokens() []bayes.Token {
	words, traits := f.words.Tokens(), f.traits.Tokens()
	return append(append(make([]bayes.Token, 0, len(words)+len(traits)), words...), traits...)
}

// WordTokens are the tokens of what the message says, which is all that a prior for everybody may hold. The slice holds
// until Close.
func (f *Findings) WordTokens() []bayes.Token { return f.words.Tokens() }

// Domains are the organizational domains that the message's links lead to and its author's, each once, at most so many:
// what lists of domains are asked about.
func (f *Findings) Domains(most int) []string {
	var list []string
	seen := map[string]bool{"": true}
	add := func(domain string) {
		if len(list) < most && !seen[domain] {
			seen[domain] = true
			list = append(list, domain)
		}
	}
	for _, org := range f.links.hosts {
		add(org)
	}
	add(f.header.fromOrg)
	add(f.header.replyOrg)
	return list
}
