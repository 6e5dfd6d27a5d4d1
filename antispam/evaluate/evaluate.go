// Package evaluate measures how well the engine tells spam from wanted mail, honestly: what is judged was not learnt, and the report says where it was.
//
// The road starts with folders or archives of labelled messages and ends in a [Report]: the confusion matrix at the score
// that files mail as junk, and the same for each part of the engine alone and for the whole without it. There are four
// ways to keep learning and judging apart: another collection ([Test]), later mail of the same collection ([TimeSplit]),
// the same with an account that was taught in between ([Taught]), and other sources of the same collection, fold by fold
// ([CrossValidate]).
package evaluate

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"postern/antispam"
	"postern/antispam/bayes"
	"postern/internal/verdict"
)

// Matrix counts what became of messages.
type Matrix struct {
	SpamCaught int `json:"spam_caught"`
	SpamMissed int `json:"spam_missed"`
	HamKept    int `json:"ham_kept"`
	HamLost    int `json:"ham_lost"`
}

// Precision is the share of spam among what was filed as junk.
func (m Matrix) Precision() float64 { return ratio(m.SpamCaught, m.SpamCaught+m.HamLost) }

// Recall is the share of the spam that was caught.
func (m Matrix) Recall() float64 { return ratio(m.SpamCaught, m.Spam()) }

// Lost is the share of the wanted mail that was filed as junk.
func (m Matrix) Lost() float64 { return ratio(m.HamLost, m.Ham()) }

// Spam is how many messages were spam.
func (m Matrix) Spam() int { return m.SpamCaught + m.SpamMissed }

// Ham is how many messages were wanted.
func (m Matrix) Ham() int { return m.HamKept + m.HamLost }

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func (m *Matrix) count(spam, junk bool) {
	switch {
	case spam && junk:
		m.SpamCaught++
	case spam:
		m.SpamMissed++
	case junk:
		m.HamLost++
	default:
		m.HamKept++
	}
}

// Part is a part of the engine.
type Part struct {
	Name string `json:"name"`
	// Alone is what this part does by itself, Without what the others do without it.
	Alone   Matrix `json:"alone"`
	Without Matrix `json:"without"`
}

// Mistake is a message that was judged wrongly.
type Mistake struct {
	Name  string         `json:"name"`
	Spam  bool           `json:"spam"`
	Score verdict.Points `json:"score"`
	// Why names what counted, the heaviest first.
	Why string `json:"why"`
}

// Report is the outcome.
type Report struct {
	// Trained is from how many messages the words were learnt; Shipped that it was the prior that the program carries.
	Trained bayes.Count `json:"trained"`
	Shipped bool        `json:"shipped"`
	// Taught is how many messages the account was taught that the rest is judged for.
	Taught bayes.Count `json:"taught"`
	// Learnt is how many of the judged messages are among those that were learnt from, where they lie there twice.
	Learnt int            `json:"learnt"`
	Junk   verdict.Points `json:"junk"`
	Whole  Matrix         `json:"whole"`
	// Parts are the engine's.
	Parts []Part `json:"parts"`
	// At is the matrix for other scores than Junk.
	At       []Threshold `json:"at"`
	Mistakes []Mistake   `json:"mistakes"`
}

// Threshold is the matrix at a score.
type Threshold struct {
	Score  verdict.Points `json:"score"`
	Matrix Matrix         `json:"matrix"`
}

// maxMistakes bounds the mistakes of each class that are named.
const maxMistakes = 1000

// judged is a sample with what the words say.
type judged struct {
	sample
	words verdict.Check
}

// Test judges the messages at test after learning from those at train; without any the shipped prior is used. What is judged
// is read once and not kept, however much it is.
func Test(train, test []string, junk verdict.Points, o Options) (*Report, error) {
	engine := antispam.New()
	r := newReport(junk)
	r.Shipped = len(train) == 0
	var learnt sums
	if !r.Shipped {
		teachers := read(engine, train, o)
		var err error
		if r.Trained, err = bothClasses(teachers); err != nil {
			return nil, err
		}
		engine, learnt = antispam.NewWithPrior(learn(teachers)), sumsOf(teachers)
	}
	each(engine, test, o, func(s sample) {
		if _, is := learnt[s.sum]; is {
			r.Learnt++
		}
		r.add(judgeOne(engine, s))
	})
	if r.Whole.Spam()+r.Whole.Ham() == 0 {
		return nil, errNothing
	}
	r.sort()
	return r, nil
}

// TimeSplit learns from the share of each class that was written first and judges the rest.
func TimeSplit(paths []string, share float64, junk verdict.Points, o Options) (*Report, error) {
	var train, test []sample
	for _, class := range readByDate(paths, o) {
		cut := int(share * float64(len(class)))
		train, test = append(train, class[:cut]...), append(test, class[cut:]...)
	}
	trained, err := bothClasses(train)
	if err != nil {
		return nil, err
	}
	r := judge(newReport(junk), antispam.NewWithPrior(learn(train)), test)
	r.Trained, r.Learnt = trained, shared(test, train)
	return r, nil
}

// readByDate reads the wanted messages and the spam, each in the order in which they were written.
func readByDate(paths []string, o Options) (classes [2][]sample) {
	for _, s := range read(antispam.New(), paths, o) {
		switch {
		case s.date.IsZero():
			o.skip(fmt.Errorf("%s: %w", s.name, ErrUndated))
		case s.spam:
			classes[1] = append(classes[1], s)
		default:
			classes[0] = append(classes[0], s)
		}
	}
	for _, class := range classes {
		slices.SortStableFunc(class, func(a, b sample) int { return a.date.Compare(b.date) })
	}
	return classes
}

// CrossValidate learns from all folds but one and judges that one, in turn. Wanted mail of one source is in one fold, so
// that all of it comes from sources that were not learnt.
func CrossValidate(paths []string, folds int, junk verdict.Points, o Options) (*Report, error) {
	samples := read(antispam.New(), paths, o)
	trained, err := bothClasses(samples)
	if err != nil {
		return nil, err
	}
	r := newReport(junk)
	r.Trained = trained
	for fold := range folds {
		var train, test []sample
		for _, s := range samples {
			if s.fold(folds) == fold {
				test = append(test, s)
			} else {
				train = append(train, s)
			}
		}
		judge(r, antispam.NewWithPrior(learn(train)), test)
		r.Learnt += shared(test, train)
	}
	return r, nil
}

func (s *sample) fold(n int) int {
	h := fnv.New32a()
	if s.spam || s.source == "" {
		h.Write([]byte(s.name))
	} else {
		h.Write([]byte(s.source))
	}
	return int(h.Sum32()>>8) % n
}

// errNothing means that nothing that was read has a label.
var errNothing = errors.New("there is no message to judge; put some into folders named ham and spam")

// bothClasses counts what is to be learnt: figures of words that were learnt from one class alone would say nothing.
func bothClasses(samples []sample) (bayes.Count, error) {
	c := counts(samples)
	if c.Spam == 0 || c.Ham == 0 {
		return c, fmt.Errorf("the training messages are %d spam and %d ham; both are needed, in folders of these names", c.Spam, c.Ham)
	}
	return c, nil
}

func counts(samples []sample) (c bayes.Count) {
	for _, s := range samples {
		if s.spam {
			c.Spam++
		} else {
			c.Ham++
		}
	}
	return c
}

func learn(samples []sample) *bayes.Prior {
	var l bayes.Learner
	for _, s := range samples {
		l.Add(s.words(), s.spam, s.source)
	}
	return bayes.NewPrior(l.Tokens())
}

// judge asks the words of all samples, as for a recipient with the models, and adds what comes of it to a report.
func judge(r *Report, engine *antispam.Engine, samples []sample, models ...bayes.Model) *Report {
	for _, s := range samples {
		r.add(judgeOne(engine, s, models...))
	}
	r.sort()
	return r
}

func judgeOne(engine *antispam.Engine, s sample, models ...bayes.Model) *judged {
	return &judged{s, engine.JudgeWords(s.tokens, s.said, models...)}
}

func newReport(junk verdict.Points) *Report {
	r := &Report{Junk: junk, Parts: []Part{{Name: verdict.CheckBayes}}, Mistakes: []Mistake{}}
	for _, table := range antispam.Tables() {
		r.Parts = append(r.Parts, Part{Name: table})
	}
	for score := junk / 2; score <= 2*junk; score += max(1, junk/5) {
		r.At = append(r.At, Threshold{Score: score})
	}
	return r
}

// sort puts the mistakes with the highest score first.
func (r *Report) sort() {
	slices.SortStableFunc(r.Mistakes, func(a, b Mistake) int { return int(b.Score - a.Score) })
}

func (r *Report) add(j *judged) {
	byPart := map[string]verdict.Points{verdict.CheckBayes: j.words.Points}
	for _, p := range j.rules.Parts {
		byPart[antispam.TableOf(p.Name)] += p.Points
	}
	total := j.words.Points + j.rules.Points
	r.Whole.count(j.spam, total >= r.Junk)
	for i := range r.Parts {
		part := byPart[r.Parts[i].Name]
		r.Parts[i].Alone.count(j.spam, part >= r.Junk)
		r.Parts[i].Without.count(j.spam, total-part >= r.Junk)
	}
	for i := range r.At {
		r.At[i].Matrix.count(j.spam, total >= r.At[i].Score)
	}
	if junk := total >= r.Junk; j.spam != junk && (junk && r.Whole.HamLost <= maxMistakes || !junk && r.Whole.SpamMissed <= maxMistakes) {
		r.Mistakes = append(r.Mistakes, Mistake{Name: j.name, Spam: j.spam, Score: total, Why: why(j)})
	}
}

func why(j *judged) string {
	parts := slices.Clone(j.rules.Parts)
	slices.SortStableFunc(parts, func(a, b verdict.Part) int { return int(b.Points - a.Points) })
	words := []string{fmt.Sprintf("words %s=%s", j.words.Result, j.words.Points)}
	for _, p := range parts {
		words = append(words, p.Name+"="+p.Points.String())
	}
	return strings.Join(words, " ")
}
