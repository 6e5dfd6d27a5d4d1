package main

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"postern/antispam"
	"postern/internal/corpus"
	"postern/internal/message"
	"postern/internal/verdict"
)

// scored is what `spam score` says of a message.
type scored struct {
	Name  string          `json:"name"`
	Score verdict.Points  `json:"score"`
	Junk  bool            `json:"junk"`
	Rules []verdict.Check `json:"checks"`
}

func (c *command) spamScore() *cobra.Command {
	junk := "5"
	cmd := &cobra.Command{Use: "score PATH...", Short: "Score messages by the built-in engine, without a server", Args: takes(1, -1),
		Long: `Reads messages from files, folders, mbox files and archives of these, or from standard input ("-"), and says what the
built-in engine finds in each: the rules that match and what the words say, with the prior that the program carries. The
DNS is not asked, and what the server's people taught or what is known of senders is not regarded; for a message that
came in, "postern spam explain" tells all of it.`,
		Example: "  postern spam score message.eml\n  postern spam score --json ~/Maildir/cur | jq '.[] | select(.junk) | .name'",
		RunE: func(_ *cobra.Command, args []string) error {
			limit, err := parseScore(junk)
			if err != nil {
				return err
			}
			return c.score(args, limit)
		}}
	cmd.Flags().StringVar(&junk, "junk", junk, "score from which a message is called junk")
	return cmd
}

func (c *command) score(paths []string, junk verdict.Points) error {
	engine := antispam.New()
	list := []scored{}
	found, failed := 0, 0
	for _, path := range paths {
		for m, err := range c.messages(path) {
			found++
			if err != nil {
				failed++
				c.complain(err, false)
				continue
			}
			s, err := scoreOf(engine, m.Body, junk)
			if err != nil {
				return err
			}
			s.Name = or(m.Name, path)
			if c.json {
				list = append(list, s)
			} else {
				c.showScore(s)
			}
		}
	}
	if found == 0 {
		return noMessage(paths)
	}
	if failed > 0 {
		c.exit = exitRefused
	}
	if c.json {
		return c.writeJSON(list)
	}
	return nil
}

// noMessage is the error of a command that was to read messages and found none.
func noMessage(paths []string) error {
	return fmt.Errorf("there is no message at %s; name a file, a folder or an archive of messages", strings.Join(paths, ", "))
}

// messages reads a path, "-" being standard input.
func (c *command) messages(path string) iter.Seq2[corpus.Message, error] {
	if path == "-" {
		return corpus.MessagesFrom(c.in, corpus.Limits{})
	}
	return corpus.Messages(path, corpus.Limits{})
}

func scoreOf(engine *antispam.Engine, body []byte, junk verdict.Points) (scored, error) {
	r := bytes.NewReader(body)
	parsed, err := message.Parse(r, int64(len(body)), message.DefaultLimits)
	if err != nil {
		return scored{}, err
	}
	f, err := engine.Examine(&antispam.Mail{Parsed: parsed, Content: r})
	if err != nil {
		return scored{}, err
	}
	defer f.Close()
	s := scored{Rules: []verdict.Check{f.Rules(), f.Words()}}
	s.Score = verdict.Score(s.Rules)
	s.Junk = s.Score >= junk
	return s, nil
}

func (c *command) showScore(s scored) {
	mark := "    "
	if s.Junk {
		mark = "junk"
	}
	c.say("%s  %6s  %s", mark, s.Score, plain(s.Name))
	for _, check := range s.Rules {
		if check.Name == verdict.CheckBayes {
			c.say("      %6s  words: %s (%s)", check.Points, check.Result, check.Detail)
			continue
		}
		parts := slices.Clone(check.Parts)
		slices.SortStableFunc(parts, func(a, b verdict.Part) int { return int(b.Points - a.Points) })
		for _, p := range parts {
			c.say("      %6s  %s: %s", p.Points, p.Name, p.Detail)
		}
	}
}

// parseScore reads a threshold.
func parseScore(text string) (verdict.Points, error) {
	var p *verdict.Points
	if err := (score{&p}).Set(text); err != nil || *p == 0 {
		return 0, usage{errors.New(text + " is no score; give a number above 0, such as 5 or 4.5")}
	}
	return *p, nil
}
