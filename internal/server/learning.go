package server

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"postern/antispam"
	"postern/antispam/bayes"
	"postern/antispam/learn"
	"postern/antispam/reputation"
	"postern/internal/message"
)

// learning is what the server knows of senders and what the accounts have taught it.
type learning struct {
	Senders        *reputation.Senders
	Correspondents *reputation.Correspondents
	Greylist       *reputation.Greylist
	Models         *learn.Models
	Lessons        *learn.Lessons
}

// openLearning comes after the directory, which knows whose accounts are gone, and the store, whose moves teach.
func (s *Server) openLearning(ctx context.Context) error {
	secret, err := s.Directory.Secret(ctx, "reputation")
	if err != nil {
		return fmt.Errorf("reading the secret of the reputation: %w", err)
	}
	o := reputation.Options{DB: s.DB, Settings: s.Settings, Secret: secret, Clock: s.Clock, Log: s.Log}
	if s.Senders, err = reputation.OpenSenders(ctx, o); err != nil {
		return fmt.Errorf("reading the reputation of senders: %w", err)
	}
	s.closeLater(s.Senders.Close)
	if s.Greylist, err = reputation.OpenGreylist(ctx, o); err != nil {
		return fmt.Errorf("reading the greylist: %w", err)
	}
	s.closeLater(s.Greylist.Close)
	if s.Correspondents, err = reputation.OpenCorrespondents(o); err != nil {
		return fmt.Errorf("reading the correspondents: %w", err)
	}
	s.engine = antispam.New()
	s.Models, err = learn.Open(ctx, learn.Options{DB: s.DB, Settings: s.Settings, Clock: s.Clock, Log: s.Log, Gone: s.isGone})
	if err != nil {
		return fmt.Errorf("reading what was learnt about spam: %w", err)
	}
	s.closeLater(s.Models.Close)
	s.Lessons = learn.NewLessons(learn.LessonsOptions{DB: s.DB, Store: s.Store, Models: s.Models, Tokens: s.tokens, Clock: s.Clock, Log: s.Log})
	s.closeLater(s.Lessons.Close)
	s.Store.Listen(s.Lessons)
	return nil
}

// startLearning works off what waits to be learnt, and forgets what is old, while the server serves.
func (s *Server) startLearning(ctx context.Context, group *errgroup.Group) {
	s.Lessons.Start()
	group.Go(func() error {
		s.Correspondents.Run(ctx, s.isGone, func(err error) {
			s.Log.Warn("old correspondents could not be forgotten; it will be tried again", "error", err)
		})
		return nil
	})
}

func (s *Server) isGone(account int64) bool {
	_, there := s.Directory.Account(account)
	return !there
}

// Learn has an account, or [learn.Everyone], taught a message of a class. learnt is false if it was so already.
func (s *Server) Learn(ctx context.Context, account int64, spam bool, message io.Reader) (learnt bool, err error) {
	w := s.spool.NewWriter()
	if _, err := io.Copy(w, message); err != nil {
		w.Abort()
		return false, err
	}
	content, err := w.Finish()
	if err != nil {
		return false, err
	}
	defer content.Close()
	found, err := s.tokens(content, content.Size())
	if err != nil {
		return false, err
	}
	class := learn.Ham
	if spam {
		class = learn.Spam
	}
	key := content.SHA256()
	return s.Models.Train(ctx, account, key[:], class, found)
}

// tokens are what a message teaches.
func (s *Server) tokens(content io.ReaderAt, size int64) ([]bayes.Token, error) {
	m, err := message.Parse(content, size, message.DefaultLimits)
	if err != nil {
		return nil, err
	}
	f, err := s.engine.Examine(&antispam.Mail{Parsed: m, Content: content})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Tokens(), nil
}
