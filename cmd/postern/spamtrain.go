package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"postern/internal/corpus"
	"postern/platform/admin"
	"postern/platform/serve"
)

// pupilFlags give a command --for and --everyone, and tell who is meant. Both are one too many, whatever else is said.
func pupilFlags(cmd *cobra.Command, what string) func() (string, error) {
	var who string
	var everyone bool
	cmd.Flags().StringVar(&who, "for", "", "the user "+what)
	cmd.Flags().BoolVar(&everyone, "everyone", false, "the whole server (the default)")
	return func() (string, error) {
		switch {
		case everyone && who != "":
			return "", usage{errors.New("it is either one user or everyone; give --for ADDRESS or --everyone")}
		case who == "":
			return admin.Everyone, nil
		}
		return who, nil
	}
}

func (c *command) spamTrain() *cobra.Command {
	cmd := &cobra.Command{Use: "train --spam|--ham [--for ADDRESS | --everyone] PATH...", Short: "Teach messages as spam or as wanted",
		Long: `Teaches messages: files with one message each, folders of them (Maildir too), mbox files, any of these packed
as .tar, .tar.gz, .tar.zst or .tar.bz2, and - for standard input. Hidden files are left out. A message that was taught so
already is not counted again; one that was taught the other way is turned. The running server learns while it serves;
when none runs, the command opens the data itself.`,
		Example: "  postern spam train --spam --for alice@example.org ~alice/Maildir/.Junk\n" +
			"  postern spam train --ham archive.mbox\n  zstdcat spam.tar.zst | postern spam train --spam -"}
	var spam, ham bool
	cmd.Flags().BoolVar(&spam, "spam", false, "they are spam")
	cmd.Flags().BoolVar(&ham, "ham", false, "they are wanted")
	who := pupilFlags(cmd, "whose filter learns")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case spam && ham:
			return usage{errors.New("messages are either spam or wanted; give --spam or --ham, and train the others by themselves")}
		case !spam && !ham:
			return usage{errors.New("nothing says what the messages are; give --spam or --ham")}
		}
		return takes(1, -1)(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, paths []string) error {
		whom, err := who()
		if err != nil {
			return err
		}
		class := "ham"
		if spam {
			class = "spam"
		}
		return c.train(cmd.Context(), &trainer{who: whom, class: class}, paths)
	}
	return cmd
}

// train teaches, and tells what came of it. ^C ends it between two messages; a second one, at once.
func (c *command) train(ctx context.Context, t *trainer, paths []string) error {
	client, done, err := c.openOrDial(ctx)
	if err != nil {
		return err
	}
	t.client = client
	if c.progress() != nil {
		t.progress = func(n int) { fmt.Fprintf(c.err, "\r%d messages\r", n) }
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	err = t.train(ctx, c.in, paths, func(err error) { c.complain(fmt.Errorf("passed over: %w", err), false) })
	err = errors.Join(err, done())
	if err == nil && ctx.Err() != nil {
		err = errors.New("interrupted; start it again to go on, what is learnt is not counted twice")
	}
	if t.training == (training{}) {
		return cmp.Or(err, noMessage(paths))
	}
	return errors.Join(c.showTraining(t.training), err)
}

// openOrDial reaches the running server, or opens its data when none runs.
func (c *command) openOrDial(ctx context.Context) (*admin.Client, func() error, error) {
	conf, err := c.load()
	if err != nil {
		return nil, nil, err
	}
	client := admin.Dial(conf.AdminSocket())
	switch _, err := client.Server(ctx); {
	case errors.Is(err, admin.ErrNoServer):
		return serve.Offline(ctx, conf, version)
	case err != nil:
		return nil, nil, err
	}
	return client, func() error { return nil }, nil
}

// training is what came of teaching many messages.
type training struct {
	Learnt  int `json:"learnt"`
	Known   int `json:"known"`
	Skipped int `json:"skipped"`
}

func (c *command) showTraining(t training) error {
	if t.Skipped > 0 || t.Learnt+t.Known == 0 {
		c.exit = exitRefused
	}
	if c.json {
		return c.writeJSON(t)
	}
	c.say("%d messages learnt, %d known already, %d passed over.", t.Learnt, t.Known, t.Skipped)
	return nil
}

// trainAtOnce is how many messages are on their way to the server: they share its flushes of the disk.
const trainAtOnce = 8

// trainer teaches messages.
type trainer struct {
	client     *admin.Client
	who, class string
	progress   func(messages int)

	mu sync.Mutex
	training
}

// train teaches everything that lies at the paths. What cannot be read is told and passed over; what the server refuses
// ends the training. When the context ends, what is on its way arrives.
func (t *trainer) train(ctx context.Context, in io.Reader, paths []string, skipped func(error)) error {
	group, going := errgroup.WithContext(ctx)
	group.SetLimit(trainAtOnce)
	for m, err := range messagesAt(in, paths) {
		if going.Err() != nil {
			break
		}
		if err != nil {
			t.Skipped++ // by this goroutine alone
			skipped(err)
			continue
		}
		body := slices.Clone(m.Body)
		group.Go(func() error { return t.teach(context.WithoutCancel(ctx), body) })
	}
	return group.Wait()
}

func (t *trainer) teach(ctx context.Context, body []byte) error {
	lesson, err := t.client.Learn(ctx, t.who, t.class, bytes.NewReader(body))
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if lesson.Learnt {
		t.Learnt++
	} else {
		t.Known++
	}
	if n := t.Learnt + t.Known; t.progress != nil && n%100 == 0 {
		t.progress(n)
	}
	return nil
}

// messagesAt reads all messages at the paths; - is in.
func messagesAt(in io.Reader, paths []string) iter.Seq2[corpus.Message, error] {
	return func(yield func(corpus.Message, error) bool) {
		for _, path := range paths {
			messages := corpus.Messages(path, corpus.Limits{})
			if path == "-" {
				messages = corpus.MessagesFrom(in, corpus.Limits{})
			}
			for m, err := range messages {
				if !yield(m, err) {
					return
				}
			}
		}
	}
}

func (c *command) spamForget() *cobra.Command {
	cmd := &cobra.Command{Use: "forget --for ADDRESS | --everyone", Short: "Drop what a user, or everyone, taught",
		Long: `Drops what a user taught, at once. What they shared with everyone is taken out there too, unless the setting
spam.share_training was off for a part of it.`,
		Example: "  postern spam forget --for alice@example.org"}
	who := pupilFlags(cmd, "whose filter forgets")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("for") && !cmd.Flags().Changed("everyone") {
			return usage{errors.New("nothing says who is to forget; give --for ADDRESS or --everyone")}
		}
		return takes(0, 0)(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		whom, err := who()
		if err != nil {
			return err
		}
		return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.Forgotten, error) { return a.ForgetLearned(ctx, whom) },
			func(f admin.Forgotten) {
				if f.Withdrawn {
					c.say("What %s taught is forgotten, and what everyone had of it.", whom)
				} else {
					c.say("What %s taught is forgotten.", whom)
				}
			})
	}
	return cmd
}

func (c *command) spamLearned() *cobra.Command {
	cmd := &cobra.Command{Use: "learned [--for ADDRESS | --everyone]", Short: "Show how much was taught", Args: takes(0, 0),
		Example: "  postern spam learned\n  postern spam learned --for alice@example.org"}
	who := pupilFlags(cmd, "who taught it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		whom, err := who()
		if err != nil {
			return err
		}
		return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.Learned, error) { return a.Learned(ctx, whom) },
			func(l admin.Learned) {
				c.say("%s: %d messages learnt as spam, %d as wanted, %d different words.", l.For, l.Spam, l.Ham, l.Tokens)
			})
	}
	return cmd
}
