package antispam

import (
	"postern/antispam/bayes"
	"postern/antispam/lexicon"
	"postern/antispam/words"
)

// features are what the rules and the statistics of words look at. They are found once for each message, and depend on
// nothing but the message and how it came.
type features struct {
	header    headerFacts    // header.go
	relay     relayFacts     // relay.go
	structure structureFacts // structure.go
	text      textFacts      // text.go
	links     linkFacts      // links.go

	phrases lexicon.Matcher
	// words are the tokens of what the message says; traits those of where it is from and how it is made, which an account
	// can learn from and a prior for everybody must not.
	words, traits bayes.Set

	reader textReader
	word   func(*words.Word) bool // readWord, made once
}

func (f *features) reset() {
	f.header, f.relay, f.text = headerFacts{to: f.header.to[:0]}, relayFacts{}, textFacts{}
	f.structure = structureFacts{attachments: f.structure.attachments[:0]}
	f.links = linkFacts{hosts: f.links.hosts[:0], orgs: f.links.orgs}
	clear(f.links.orgs)
	f.phrases.Reset()
	f.words.Reset()
	f.traits.Reset()
}
