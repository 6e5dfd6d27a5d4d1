// Package lexicon knows the phrases by which unwanted mail of a kind is recognised: what writes of millions to be
// transferred, of mailboxes that are full, of pills.
//
// One phrase proves nothing; several different ones of a kind do. The list, phrases.tsv, is written from knowledge of the
// trade, not learnt from a corpus, so that it holds for mail of other years. A [Matcher] follows a text word by word, all
// phrases at once, in time linear in the text.
package lexicon

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"postern/antispam/words"
)

// Kind is what phrases are about.
type Kind uint8

// The kinds, by their names in the list.
const (
	Fraud    Kind = iota // advance-fee fraud, lotteries
	Phish                // accounts to be verified
	Mailbox              // full mailboxes, expiring passwords
	Extort               // hacked webcams
	Pharma               // pills without prescription
	Health               // miracles against fat and age
	Adult                // pornography
	Dating               // lonely strangers
	Loan                 // credit, debt, insurance, solar roofs
	Money                // riches from home
	Stock                // shares that will rise
	Prize                // winners, surveys, gift cards
	SEO                  // offers to one's website and business
	Casino               // games of chance
	Replica              // imitated goods
	Software             // cheap software, bought degrees
	Crypto               // coins that double
	Renewal              // subscriptions to be cancelled by telephone
	Parcel               // parcels that wait for a fee
	Lure                 // attachments to be opened
	Bulk                 // excuses for bulk mail
	Urgent               // pressure to act
	Greeting             // dear nobody in particular
	Abroad               // bulk mail in other languages
	Errand               // what false chiefs ask for: vouchers, transfers
	Warning              // warnings of frauds, which quote them
	Threat               // what is said to have gone wrong: blocked, expired
	Asset                // with what: account, card, parcel
	Call                 // and what the reader is to do: confirm, pay
	Hurry                // by when
	Scan                 // codes to be scanned with a telephone
	Kinds
)

var names = [Kinds]string{"fraud", "phish", "mailbox", "extort", "pharma", "health", "adult", "dating", "loan", "money", "stock", "prize",
	"seo", "casino", "replica", "software", "crypto", "renewal", "parcel", "lure", "bulk", "urgent", "greeting", "abroad", "errand", "warning", "threat", "asset", "call", "hurry", "scan"}

// String is the kind's name in the list.
func (k Kind) String() string { return names[k] }

//go:embed phrases.tsv
var list string

// number is what words of digits are taken for.
var number = words.Hash("#")

// phrase is an entry of the list.
type phrase struct {
	text   string
	kind   Kind
	weight int
}

// Lexicon is the list, ready to be followed. It is immutable.
//
// Most words of a text stand in some phrase, and many begin one; but few pairs of neighbours do. So what is looked for at each
// word is a phrase of this word alone, or one that begins with it and the word before.
type Lexicon struct {
	phrases []phrase
	// single leads from a word to the phrase that it is, pairs from the first two words of longer ones to the place behind
	// them, and next from a place and a word to the next place. Places are numbered from 1.
	single, pairs, next words.Table[place]
	// follow are, by place, the words that next leads on by: a bit for each that is set by many words. Most words of a text set
	// another bit, and need not be looked up.
	follow []uint64
}

// bit is that of a word in follow.
func bit(word uint64) uint64 { return 1 << (word * 0x9e3779b97f4a7c15 >> 58) }

// step is the key of next.
func step(from int32, word uint64) uint64 { return words.Join(uint64(from), word) }

// place is where one stands after a word.
type place struct {
	at     int32 // 0 where nothing leads on
	phrase int32 // that ends here, plus one; 0 for none
}

// New reads the list that the program carries.
func New() *Lexicon {
	l, err := parse(list)
	if err != nil {
		panic(err) // a test reads it
	}
	return l
}

func parse(text string) (*Lexicon, error) {
	l := &Lexicon{follow: []uint64{0}} // there is no place 0
	known := map[string]int{}
	for i, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		p, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("phrases.tsv line %d: %w", i+1, err)
		}
		if before := known[p.text]; before > 0 {
			return nil, fmt.Errorf("phrases.tsv line %d: %q stands in line %d already", i+1, p.text, before)
		}
		known[p.text] = i + 1
		l.phrases = append(l.phrases, p)
		l.add(p.text, int32(len(l.phrases)))
	}
	return l, nil
}

func parseLine(line string) (p phrase, err error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 3 {
		return p, fmt.Errorf("%d columns, not 3", len(fields))
	}
	if p.weight, err = strconv.Atoi(fields[1]); err != nil || p.weight < 1 || p.weight > 20 {
		return p, fmt.Errorf("the weight %q is not from 1 to 20", fields[1])
	}
	for p.kind = 0; p.kind < Kinds && names[p.kind] != fields[0]; p.kind++ {
	}
	if p.kind == Kinds {
		return p, fmt.Errorf("no kind %q", fields[0])
	}
	p.text = fields[2]
	folded := foldPhrase(p.text)
	if folded != p.text {
		return p, fmt.Errorf("%q is written %q in words", p.text, folded)
	}
	return p, nil
}

// foldPhrase writes a phrase as its words come out of a text.
func foldPhrase(text string) string {
	var out []string
	for _, part := range strings.Fields(text) {
		if part == "#" {
			out = append(out, part)
			continue
		}
		words.Split([]byte(part), new(words.Stats), func(w *words.Word) bool {
			out = append(out, string(w.Text))
			return true
		})
	}
	return strings.Join(out, " ")
}

func (l *Lexicon) add(text string, number int32) {
	var list []uint64
	for word := range strings.FieldsSeq(text) {
		list = append(list, words.Hash(word))
	}
	if len(list) == 1 {
		l.single.Put(list[0], place{phrase: number})
		return
	}
	at := l.enter(&l.pairs, words.Join(list[0], list[1]), len(list) == 2, number)
	for i, word := range list[2:] {
		l.follow[at] |= bit(word)
		at = l.enter(&l.next, step(at, word), i == len(list)-3, number)
	}
}

// enter gives the place that a key leads to, a new one if there is none yet; last tells that the phrase ends there.
func (l *Lexicon) enter(table *words.Table[place], key uint64, last bool, number int32) int32 {
	p, ok := table.Get(key)
	if !ok {
		p.at = int32(len(l.follow))
		l.follow = append(l.follow, 0)
	}
	if last {
		p.phrase = number
	}
	table.Put(key, p)
	return p.at
}

// Phrases is the number of phrases.
func (l *Lexicon) Phrases() int { return len(l.phrases) }
