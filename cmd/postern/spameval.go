package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"postern/antispam/evaluate"
	"postern/internal/verdict"
)

// evaluation are the flags of `spam eval`.
type evaluation struct {
	train, test []string
	folds       int
	split       float64
	teach       int
	teaches     bool // --teach was given
	junk        string
	masked      bool
	mistakes    int
}

func (c *command) spamEval() *cobra.Command {
	e := evaluation{junk: "5"}
	cmd := &cobra.Command{Use: "eval", Short: "Measure how well the built-in engine tells spam from wanted mail", Args: takes(0, 0),
		Long: `Judges labelled messages and compares. They lie in folders, mbox files or archives (.tar.zst, .tar.gz) with "ham" or
"spam" in the name of a folder, the innermost that has one. What is judged should not be learnt from; there are these ways:

  --test PATH               judge these, by the prior that the program carries
  --train PATH --test PATH  judge these, by words learnt from those
  --train PATH --folds N    learn from all but one of N parts, judge that one, in turn; a source of wanted mail is in one part
  --train PATH --split S    learn from the share S of each class that was written first, judge the later rest
  --train PATH --teach N    learn from the third that was written first, let an account teach N of each class from the second third,
                            judge the last third for it: what teaching brings

Printed are the confusion matrix at the score --junk, precision and recall, what each part of the engine does alone and
what the rest does without it, the same for other scores, and with --mistakes the messages that were judged wrongly.
The DNS is not asked. With --masked every header field that the author's program did not write is taken out first, so
that nothing tells of the road to whoever collected the messages.`,
		Example: "  postern spam eval --test ~/corpus\n  postern spam eval --train old.tar.zst --test new.tar.zst --mistakes 20\n" +
			"  postern spam eval --train corpus.tar.zst --folds 10 --masked --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			e.teaches = cmd.Flags().Changed("teach")
			return c.evaluate(e)
		}}
	cmd.Flags().StringArrayVar(&e.train, "train", nil, "folder or archive to learn words from; may be given again")
	cmd.Flags().StringArrayVar(&e.test, "test", nil, "folder or archive to judge; may be given again")
	cmd.Flags().IntVar(&e.folds, "folds", 0, "cross-validate --train in so many parts")
	cmd.Flags().Float64Var(&e.split, "split", 0, "learn from this share of --train, by date, such as 0.5")
	cmd.Flags().IntVar(&e.teach, "teach", 0, "let an account teach so many messages of each class; 0 is an account that teaches nothing")
	cmd.Flags().StringVar(&e.junk, "junk", e.junk, "score from which a message is junk")
	cmd.Flags().BoolVar(&e.masked, "masked", false, "take out of the header what the author's program did not write")
	cmd.Flags().IntVar(&e.mistakes, "mistakes", 0, "name so many wrongly judged messages, wanted ones first")
	return cmd
}

func (c *command) evaluate(e evaluation) error {
	junk, err := parseScore(e.junk)
	if err != nil {
		return err
	}
	if e.mistakes < 0 {
		return usage{errorf("--mistakes %d; give the number of messages to name", e.mistakes)}
	}
	left := leftOut{c: c}
	o := evaluate.Options{Masked: e.masked, Skipped: left.tell}
	if c.progress() != nil {
		o.Progress = func(done int) {
			if done%100 == 0 {
				fmt.Fprintf(c.err, "\r%d messages read", done)
			}
		}
		defer fmt.Fprintf(c.err, "\r")
	}
	report, err := e.run(junk, o)
	left.sum()
	if err != nil {
		return err
	}
	if c.json {
		return c.writeJSON(report)
	}
	c.showEvaluation(report, e.mistakes)
	return nil
}

// leftOut tells which messages are not in the figures. Those without a label may be all of a large folder, so only the
// first are told one by one. Where something could not be read, the figures are not of what was asked for, and the
// command says so by its exit code too.
type leftOut struct {
	c     *command
	count int
}

const leftOutTold = 5

func (l *leftOut) tell(err error) {
	if !errors.Is(err, evaluate.ErrUnlabelled) && !errors.Is(err, evaluate.ErrUndated) {
		l.c.exit = exitRefused
	} else if l.count++; l.count > leftOutTold {
		return
	}
	l.c.complain(fmt.Errorf("left out: %w", err), false)
}

func (l *leftOut) sum() {
	if more := l.count - leftOutTold; more > 0 {
		l.c.complain(fmt.Errorf("left out: %d more for the same reason", more), false)
	}
}

// run chooses the way by the flags.
func (e evaluation) run(junk verdict.Points, o evaluate.Options) (*evaluate.Report, error) {
	for _, path := range slices.Concat(e.train, e.test) {
		// Figures of the rest would be taken for figures of all.
		if _, err := os.Stat(path); err != nil {
			return nil, errorf("%w; name a folder or an archive of messages", err)
		}
	}
	ways := 0
	for _, given := range []bool{e.folds != 0, e.split != 0, e.teaches} {
		if given {
			ways++
		}
	}
	switch {
	case len(e.test) > 0 && ways == 0:
		return evaluate.Test(e.train, e.test, junk, o)
	case len(e.test) > 0 || len(e.train) == 0 || ways != 1:
		return nil, usage{errorf("give --test, or --train with one of --folds, --split and --teach; `postern spam eval --help` shows the ways")}
	}
	return e.runWithin(junk, o)
}

// runWithin judges messages of those that it learns from.
func (e evaluation) runWithin(junk verdict.Points, o evaluate.Options) (*evaluate.Report, error) {
	switch {
	case e.teaches && e.teach < 0:
		return nil, usage{errorf("--teach %d; give the number of messages of each class", e.teach)}
	case e.teaches:
		return evaluate.Taught(e.train, e.teach, junk, o)
	case e.folds != 0 && (e.folds < 2 || e.folds > 100):
		return nil, usage{errorf("--folds %d; give a number from 2 to 100", e.folds)}
	case e.folds != 0:
		return evaluate.CrossValidate(e.train, e.folds, junk, o)
	case !(e.split > 0 && e.split < 1): // so that it holds for what is no number
		return nil, usage{errorf("--split %g; give a share between 0 and 1, such as 0.5", e.split)}
	}
	return evaluate.TimeSplit(e.train, e.split, junk, o)
}

func (c *command) showEvaluation(r *evaluate.Report, mistakes int) {
	switch {
	case r.Shipped:
		c.say("words      the prior that the program carries")
	case r.Learnt > 0:
		c.say("words      learnt from %d spam and %d ham; %d of them are among the judged, which flatters the figures", r.Trained.Spam, r.Trained.Ham, r.Learnt)
	default:
		c.say("words      learnt from %d spam and %d ham, never from what was judged", r.Trained.Spam, r.Trained.Ham)
	}
	if r.Taught.Spam > 0 {
		c.say("taught     %d spam and %d ham by the account that they are judged for", r.Taught.Spam, r.Taught.Ham)
	}
	m := r.Whole
	c.say("junk from  %s", r.Junk)
	c.say("")
	c.table("", []string{"", "FILED AS JUNK", "NOT"}, [][]string{
		{"spam", fmt.Sprint(m.SpamCaught), fmt.Sprint(m.SpamMissed)},
		{"ham", fmt.Sprint(m.HamLost), fmt.Sprint(m.HamKept)},
	})
	c.say("")
	c.say("precision  %s", percent(m.Precision(), m.SpamCaught+m.HamLost))
	c.say("recall     %s", percent(m.Recall(), m.Spam()))
	c.say("ham lost   %s", percent(m.Lost(), m.Ham()))
	c.say("")
	rows := make([][]string, 0, len(r.Parts))
	for _, p := range r.Parts {
		rows = append(rows, []string{p.Name, percent(p.Alone.Recall(), m.Spam()), fmt.Sprint(p.Alone.HamLost), percent(p.Without.Recall(), m.Spam()), fmt.Sprint(p.Without.HamLost)})
	}
	c.table("", []string{"PART", "ALONE: RECALL", "HAM LOST", "WITHOUT IT: RECALL", "HAM LOST"}, rows)
	c.say("")
	rows = rows[:0]
	for _, t := range r.At {
		rows = append(rows, []string{t.Score.String(), percent(t.Matrix.Recall(), m.Spam()), fmt.Sprint(t.Matrix.HamLost), percent(t.Matrix.Lost(), m.Ham())})
	}
	c.table("", []string{"JUNK FROM", "RECALL", "HAM LOST", "OF ALL HAM"}, rows)
	c.showMistakes(r.Mistakes, mistakes)
}

func (c *command) showMistakes(list []evaluate.Mistake, most int) {
	for _, spam := range []bool{false, true} {
		for _, m := range list {
			if m.Spam != spam || most <= 0 {
				continue
			}
			most--
			c.say("\n%s  %s  %s\n  %s", map[bool]string{false: "ham lost", true: "spam missed"}[m.Spam], m.Score, plain(m.Name), strings.TrimSpace(m.Why))
		}
	}
}

// percent writes a share of so many; of none there is no share.
func percent(share float64, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f %%", 100*share)
}
