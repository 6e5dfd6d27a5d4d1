package bayes

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestASetKeepsTheFirstTokensOnceEachInOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var s Set
	for round := range 30 {
		s.Reset()
		model, seen := []Token{}, map[Token]bool{}
		different := 1 + random.IntN(3*MaxTokens)
		for range random.IntN(3 * MaxTokens) {
			token := Token(random.IntN(different)) << random.IntN(50)
			s.Add(token)
			if !seen[token] && len(model) < MaxTokens {
				seen[token] = true
				model = append(model, token)
			}
		}
		if !slices.Equal(s.Tokens(), model) {
			t.Fatalf("round %d: %d tokens, the model has %d", round, len(s.Tokens()), len(model))
		}
	}
	s.Reset()
	if len(s.Tokens()) != 0 {
		t.Error("it remembers after Reset")
	}
}

func TestTokensOfPlacesDiffer(t *testing.T) {
	if Within(Of("subject:"), 7) == Within(Of("from:"), 7) || Within(Of("subject:"), 7) == Within(Of("subject:"), 8) {
		t.Error("tokens of different places or words are the same")
	}
}

// taught is a model of counts.
type taught struct {
	totals Count
	tokens map[Token]Count
}

func (m taught) Totals() Count { return m.totals }

func (m taught) Counts(tokens []Token, counts []Count) {
	for i, t := range tokens {
		counts[i] = m.tokens[t]
	}
}

// vocabulary is a prior with spam words 1 to n, ham words 1001 to 1000+n and words of both 2001 to 2000+n.
func vocabulary(n int) *Prior {
	var list []PriorToken
	for i := range n {
		at := func(base int) Token { return Of(fmt.Sprint(base + i)) }
		list = append(list, PriorToken{at(1), 0.1, 0.001, 1}, PriorToken{at(1001), 0.001, 0.1, -1}, PriorToken{at(2001), 0.1, 0.1, 0})
	}
	return NewPrior(list)
}

func numbers(from, n int) []Token {
	var list []Token
	for i := range n {
		list = append(list, Of(fmt.Sprint(from+i)))
	}
	return list
}

func TestTheIndexDoesNotDependOnTheOrderAndIsBetweenNothingAndOne(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	prior := vocabulary(400)
	model := taught{Count{50, 80}, map[Token]Count{}}
	for i := range 200 {
		model.tokens[Of(fmt.Sprint(random.IntN(2400)))] = Count{uint32(random.IntN(50)), uint32(i % 80)}
	}
	var s Scorer
	for range 200 {
		var tokens []Token
		for range random.IntN(200) {
			tokens = append(tokens, Of(fmt.Sprint(random.IntN(2600))))
		}
		slices.Sort(tokens)
		tokens = slices.Compact(tokens)
		want := s.Score(tokens, prior, nil, model).Index
		if want < 0 || want > 1 || math.IsNaN(want) {
			t.Fatalf("%d tokens have the index %v", len(tokens), want)
		}
		random.Shuffle(len(tokens), func(i, j int) { tokens[i], tokens[j] = tokens[j], tokens[i] })
		// Where more count than are heard, those of equal weight at the edge are a matter of the order.
		if got := s.Score(tokens, prior, nil, model); got.Used < mostTokens && math.Abs(got.Index-want) > 1e-9 {
			t.Fatalf("%d tokens in another order: %v, not %v", len(tokens), got.Index, want)
		}
	}
}

func TestSpamAndHamAreMirrored(t *testing.T) {
	prior := vocabulary(100)
	var s Scorer
	for n := range 60 {
		spam := s.Score(append(numbers(1, n), numbers(1001, n/3)...), prior).Index
		ham := s.Score(append(numbers(1001, n), numbers(1, n/3)...), prior).Index
		if math.Abs(spam-(1-ham)) > 1e-9 {
			t.Fatalf("%d words of one kind and %d of the other: %v and %v", n, n/3, spam, ham)
		}
	}
}

func TestFewOrUnknownWordsSayLittle(t *testing.T) {
	prior := vocabulary(100)
	var s Scorer
	for _, c := range []struct {
		tokens   []Token
		from, to float64
	}{
		{nil, 0.5, 0.5},
		{numbers(5000, 300), 0.5, 0.5},                           // unknown
		{numbers(2001, 100), 0.5, 0.5},                           // of both kinds
		{numbers(1, 1), 0.5, 0.6},                                // one
		{numbers(1, 3), 0.5, 0.7},                                // three
		{numbers(1, few), 0.95, 1},                               // enough
		{append(numbers(1, 20), numbers(1001, 20)...), 0.4, 0.6}, // undecided
	} {
		if r := s.Score(c.tokens, prior); r.Index < c.from || r.Index > c.to {
			t.Errorf("%d tokens: %v, not from %v to %v", len(c.tokens), r.Index, c.from, c.to)
		}
	}
	r := s.Score(append(numbers(1, 30), numbers(5000, 9)...), prior)
	if r.Known != 30 || r.Used != 30 {
		t.Errorf("%+v", r)
	}
	if r := s.Score(numbers(1, 400), vocabulary(400)); r.Used != mostTokens {
		t.Errorf("%d tokens count, not %d", r.Used, mostTokens)
	}
	if r := s.Score(numbers(1, 30), nil); r.Index != 0.5 {
		t.Errorf("without a prior the index is %v", r.Index)
	}
}

func TestWhatAnAccountTaughtGoesBeforeThePriorAndNoFurther(t *testing.T) {
	prior := vocabulary(100)
	account := taught{Count{Spam: 30, Ham: 30}, map[Token]Count{}}
	for _, token := range numbers(1, 20) { // words of spam elsewhere that this account gets in wanted mail
		account.tokens[token] = Count{Ham: 20}
	}
	var s Scorer
	if before, after := s.Score(numbers(1, 20), prior).Index, s.Score(numbers(1, 20), prior, account).Index; before < 0.9 || after > 0.1 {
		t.Errorf("what was taught: %v before and %v after", before, after)
	}
	before, after := s.Score(numbers(41, 20), prior).Index, s.Score(numbers(41, 20), prior, account).Index
	if before < 0.9 || after < 0.9 {
		t.Errorf("what was not taught: %v before and %v after", before, after)
	}
	empty := taught{tokens: map[Token]Count{}}
	if got := s.Score(numbers(41, 20), prior, nil, empty).Index; got != before {
		t.Errorf("a model that knows nothing changes %v to %v", before, got)
	}
}

func TestAPriorComesBackAsItWasWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var list []PriorToken
	for range 5000 {
		list = append(list, PriorToken{Token(random.Uint64()), random.Float64(), random.Float64() / 100, 4*random.Float64() - 2})
	}
	list = append(list, PriorToken{Token(random.Uint64()), 0, 1, 9}, PriorToken{Token(0), 0, 0, 0})
	encoded := EncodePrior(slices.Clone(list))
	p, err := DecodePrior(encoded)
	if err != nil || p.Len() != len(list) {
		t.Fatalf("%d tokens, %v", p.Len(), err)
	}
	direct := NewPrior(list)
	for _, want := range list {
		got, ok := p.Look(want.Token)
		if !ok || !near(got.Spam, want.Spam) || !near(got.Ham, want.Ham) || math.Abs(got.Weight-min(want.Weight, MaxWeight)) > 0.51/weightSteps {
			t.Fatalf("%+v, %t, not %+v", got, ok, want)
		}
		if again, _ := direct.Look(want.Token); again != got {
			t.Fatalf("%x is another one without encoding", want.Token)
		}
	}
	if _, ok := p.Look(Of("not there")); ok {
		t.Error("a token is known that nobody put in")
	}
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	if !bytes.Equal(EncodePrior(list), encoded) {
		t.Error("the order of the tokens changes what is written")
	}
}

// near allows for the steps of the scale.
func near(got, want float64) bool {
	if want < 1e-12 {
		return got < unknown
	}
	return got/want < 1.08 && want/got < 1.08
}

func TestADamagedPriorIsRefused(t *testing.T) {
	whole := EncodePrior([]PriorToken{{Of("a"), 0.1, 0.2, 1}, {Of("b"), 0.3, 0.4, 0}, {Of("c"), 0.5, 0.6, -1}})
	if _, err := DecodePrior(whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := DecodePrior(whole[:n]); err == nil {
			t.Errorf("the first %d bytes of %d are taken for the whole", n, len(whole))
		}
	}
	for name, bad := range map[string][]byte{
		"another head":         append([]byte("PRIOR9\n"), whole[len(priorHead):]...),
		"more than there are":  append(append([]byte(priorHead), 0xff, 0xff, 0xff, 0xff, 0x0f), whole[len(priorHead)+1:]...),
		"something behind":     append(slices.Clone(whole), 0),
		"a token twice":        append([]byte(priorHead+"\x02"), 5, 9, 9, 9, 0, 9, 9, 9),
		"a token out of range": append([]byte(priorHead+"\x01"), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 9, 9, 9),
		"a share of nothing":   append([]byte(priorHead+"\x01"), 5, 0, 9, 9),
		"the form before":      []byte("PRIOR1\n\x01\x05\x09\x09"),
	} {
		if _, err := DecodePrior(bad); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

func FuzzDecodePrior(f *testing.F) {
	f.Add(EncodePrior([]PriorToken{{Of("a"), 0.1, 0.2, 1}, {Of("b"), 0.3, 0, -1}}))
	f.Add([]byte(priorHead + "\x01\x05\x09\x09\x09"))
	f.Add([]byte(priorHead))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePrior(b)
		if err != nil {
			return
		}
		if p.Len() > len(b) {
			t.Fatalf("%d tokens of %d bytes", p.Len(), len(b))
		}
		var s Scorer
		if r := s.Score(numbers(1, 50), p); math.IsNaN(r.Index) || r.Index < 0 || r.Index > 1 {
			t.Fatalf("the index is %v", r.Index)
		}
	})
}

func TestALearnerCountsSharesOfMessages(t *testing.T) {
	var l Learner
	for i := range 100 {
		l.Add([]Token{Of("both"), Of("spam")}, true, fmt.Sprint("s", i))
		l.Add([]Token{Of("both"), Of("ham")}, false, fmt.Sprint("h", i))
	}
	if l.Count() != (Count{100, 100}) {
		t.Errorf("%+v", l.Count())
	}
	tokens := map[Token]PriorToken{}
	for _, token := range l.Tokens() {
		tokens[token.Token] = token
	}
	both, spam, ham := tokens[Of("both")], tokens[Of("spam")], tokens[Of("ham")]
	if math.Abs(both.Spam-both.Ham) > 1e-9 || both.Spam < 0.99 || spam.Spam < 0.99 || spam.Ham > 0.01 || spam.Ham == 0 || ham.Ham != spam.Spam {
		t.Errorf("%+v %+v %+v", both, spam, ham)
	}
}

func TestATokenMustComeFromSeveralSourcesAndMessages(t *testing.T) {
	for _, c := range []struct {
		sources, messages int // of the token
		kept              bool
	}{{1, 50, false}, {minSources - 1, 50, false}, {minSources, minMessages - 1, false}, {minSources, minMessages, true}, {10, 50, true}} {
		var l Learner
		for i := range c.messages {
			l.Add([]Token{Of("word")}, i%2 == 0, fmt.Sprint("source", i%c.sources))
		}
		if kept := len(l.Tokens()) == 1; kept != c.kept {
			t.Errorf("%d messages of %d sources: kept %t", c.messages, c.sources, kept)
		}
	}
}

func TestManyMessagesOfOneSourceCountAsSome(t *testing.T) {
	share := func(flood int) float64 {
		var l Learner
		for i := range 90 {
			l.Add([]Token{Of("rare")}, i%9 == 0, fmt.Sprint("source", i))
		}
		for range flood {
			l.Add([]Token{Of("rare"), Of("list")}, false, "list")
		}
		for _, token := range l.Tokens() {
			if token.Token == Of("list") {
				t.Error("a word of one source is kept")
			}
		}
		ham := float64(80+min(flood, perSource)) + 2*doubt
		for _, token := range l.Tokens() {
			return token.Ham * ham
		}
		return 0
	}
	if some, many := share(perSource), share(100*perSource); math.Abs(some-many) > 0.01 {
		t.Errorf("%d messages of a list count as %v, %d as %v", perSource, some, 100*perSource, many)
	}
}

func BenchmarkScore(b *testing.B) {
	prior := vocabulary(400)
	tokens := append(append(numbers(1, 150), numbers(1001, 150)...), numbers(2001, 300)...)
	var s Scorer
	b.ReportAllocs()
	for b.Loop() {
		s.Score(tokens, prior)
	}
}

// TestTheMostTellingTokensCount compares the choice of tokens with sorting all of them.
func TestTheMostTellingTokensCount(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		n, steps := 1+random.IntN(1500), 1+random.IntN(60)
		var s Scorer
		var want []uint64
		known := 0
		for i := range n {
			p := float64(random.IntN(steps+1)) / float64(steps) // many are alike
			if random.IntN(3) == 0 {
				p = random.Float64()
			}
			if p != 0.5 {
				known++
			}
			if math.Abs(p-0.5) >= interesting {
				want = append(want, rank(min(math.Abs(p-0.5), certain-0.5), i))
			}
			s.belief = append(s.belief, p)
		}
		slices.Sort(want)
		want = want[:min(len(want), mostTokens)]
		if got := s.rankAll(n); got != known {
			t.Fatalf("%d of %d are known, not %d", got, n, known)
		}
		s.keepMostTelling()
		slices.Sort(s.order)
		if !slices.Equal(s.order, want) {
			t.Fatalf("%d of %d tokens, not the %d most telling", len(s.order), n, len(want))
		}
	}
}
