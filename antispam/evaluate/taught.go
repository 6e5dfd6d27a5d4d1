package evaluate

import (
	"fmt"
	"slices"

	"postern/antispam"
	"postern/antispam/bayes"
	"postern/internal/verdict"
)

// Taught learns a prior from the third of each class that was written first, teaches an account so many messages of each
// class from the second third, as somebody does who moves mail into Junk and out of it, and judges the last third for that
// account.
func Taught(paths []string, lessons int, junk verdict.Points, o Options) (*Report, error) {
	var train, lesson, test []sample
	for i, class := range readByDate(paths, o) {
		first, second := len(class)/3, 2*len(class)/3
		if lessons > second-first {
			return nil, fmt.Errorf("of %s there are %d in the second third, fewer than the %d that are to be taught; teach fewer, or give more messages",
				[2]string{"ham", "spam"}[i], second-first, lessons)
		}
		train, test = append(train, class[:first]...), append(test, class[second:]...)
		lesson = append(lesson, spread(class[first:second], lessons)...)
	}
	trained, err := bothClasses(train)
	if err != nil {
		return nil, err
	}
	account := teach(lesson)
	r := judge(newReport(junk), antispam.NewWithPrior(learn(train)), test, account)
	r.Trained, r.Taught, r.Learnt = trained, account.totals, shared(test, slices.Concat(train, lesson))
	return r, nil
}

// spread chooses so many samples at even distances.
func spread(samples []sample, n int) []sample {
	out := make([]sample, 0, n)
	for i := range n {
		out = append(out, samples[i*len(samples)/n])
	}
	return out
}

// account is what somebody taught. It is a [bayes.Model].
type account struct {
	totals bayes.Count
	tokens map[bayes.Token]bayes.Count
}

func teach(lessons []sample) *account {
	a := &account{tokens: map[bayes.Token]bayes.Count{}}
	for _, s := range lessons {
		one := bayes.Count{Ham: 1}
		if s.spam {
			one = bayes.Count{Spam: 1}
		}
		a.totals = sum(a.totals, one)
		for _, token := range s.tokens {
			a.tokens[token] = sum(a.tokens[token], one)
		}
	}
	return a
}

func sum(a, b bayes.Count) bayes.Count { return bayes.Count{Spam: a.Spam + b.Spam, Ham: a.Ham + b.Ham} }

func (a *account) Totals() bayes.Count { return a.totals }

func (a *account) Counts(tokens []bayes.Token, counts []bayes.Count) {
	for i, token := range tokens {
		counts[i] = a.tokens[token]
	}
}
