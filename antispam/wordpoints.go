package antispam

import (
	"fmt"
	"math"

	"postern/antispam/bayes"
	"postern/internal/verdict"
)

// taughtEnough is how many messages of each class somebody must have taught for their words to count in full.
const taughtEnough = 20

// Words is the check of the words, for a recipient whose models come from the most general to the most particular; nil
// models are passed over.
func (f *Findings) Words(models ...bayes.Model) verdict.Check {
	tokens, said, lessons := f.words.Tokens(), len(f.words.Tokens()), lessonsOf(models)
	if lessons >= taughtEnough {
		tokens = f.Tokens()
	}
	return f.judgeWords(tokens, said, lessons, models)
}

// JudgeWords is the check of the words for tokens that Tokens gave, of which the first so many are what the message says; the
// models are those of Words.
func (e *Engine) JudgeWords(tokens []bayes.Token, said int, models ...bayes.Model) verdict.Check {
	f := e.pool.Get().(*Findings)
	defer e.pool.Put(f)
	f.engine = e
	lessons := lessonsOf(models)
	if lessons < taughtEnough {
		tokens = tokens[:said]
	}
	return f.judgeWords(tokens, said, lessons, models)
}

// lessonsOf is how many messages of each class the best taught of the models was taught.
func lessonsOf(models []bayes.Model) float64 {
	lessons := uint32(0)
	for _, m := range models {
		if m != nil {
			t := m.Totals()
			lessons = max(lessons, min(t.Spam, t.Ham))
		}
	}
	return float64(lessons)
}

// judgeWords takes the mean of two readings of the words: the shares, which people refine by teaching, and the weights of the
// prior, which are better where nobody has taught and count less the more somebody did. Of the tokens so many are of what
// the message says.
func (f *Findings) judgeWords(tokens []bayes.Token, said int, lessons float64, models []bayes.Model) verdict.Check {
	r := f.scorer.Score(tokens, f.engine.prior, models...)
	taught := lessons >= taughtEnough
	fluent := fluency(r.Prior, said)
	if !taught {
		r.Index = 0.5 + (r.Index-0.5)*fluent
	}
	weighed := 0.5 * fluent * marginLessons / (marginLessons + lessons)
	points := (1-weighed)*wordPoints(r.Index) + weighed*marginPoints(r.Margin)
	if taught {
		points *= 1.4
	}
	return verdict.Check{Name: verdict.CheckBayes, Result: fmt.Sprintf("%.3f", r.Index),
		Detail: fmt.Sprintf("%d of %d words known, %d told, weight %+.2f", r.Known, len(tokens), r.Used, r.Margin), Points: verdict.P(points)}
}

// marginLessons is how many messages of each class somebody must have taught for the weights of the prior to count half.
const marginLessons = 100

// fluency is how well the prior knows the language of a message, from 0 to 1. It learnt from English mail: of an English
// message it knows half of the words and pairs or more, of a German one a fifth, and what it knows of those are the few that
// some German list left in it.
func fluency(known, all int) float64 {
	return min(max((float64(known)/float64(max(all, 1))-0.3)/0.12, 0), 1)
}

// wordPoints turns the index of the words into points. What nobody taught cannot decide alone: the prior is of other years
// and other people's mail.
func wordPoints(index float64) float64 {
	for _, step := range wordSteps {
		if index >= step.index {
			return step.points
		}
	}
	return wordsHam
}

var wordSteps = []struct{ index, points float64 }{
	{0.999, wordsSpam}, {0.99, 4.3}, {0.95, 3.9}, {0.9, 3.4}, {0.8, 2.5}, {0.7, 1.7}, {0.6, 0.8}, {0.4, 0}, {0.2, -0.4}, {0.05, -0.8}, {0.01, -1.2},
}

// wordsSpam and wordsHam are the points of words that could not be surer.
const wordsSpam, wordsHam = 4.6, -1.6

// marginPoints turns the margin of the weights into points, between the same bounds.
func marginPoints(margin float64) float64 {
	if margin < 0 {
		return -wordsHam * math.Tanh(margin*0.75)
	}
	return wordsSpam * math.Tanh(margin*0.5)
}
