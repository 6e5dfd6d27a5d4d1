package evaluate

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"postern/antispam"
	"postern/antispam/bayes"
	"postern/internal/corpus"
	"postern/internal/message"
	"postern/internal/verdict"
)

// sample is a labelled message, reduced to what judging it takes.
type sample struct {
	name   string
	spam   bool
	source string
	date   time.Time
	sum    [sha256.Size]byte // of the message as it lies there
	// tokens are what an account is taught; the first ones, so many as said, are what the message says.
	tokens []bayes.Token
	said   int
	rules  verdict.Check
}

// words are what the message says.
func (s *sample) words() []bayes.Token { return s.tokens[:s.said] }

// Options say what to do with each message before it is judged.
type Options struct {
	// Masked takes every field out of the header that is not of the author's making, so that nothing of the road to a
	// collector is left.
	Masked bool
	// Progress is told how many messages were read; may be nil.
	Progress func(done int)
	// Skipped is told of what could not be read or has no label, and where it lies; may be nil.
	Skipped func(err error)
}

// ErrUndated means that nothing says when a message was written.
var ErrUndated = errors.New("has no date, and cannot be told to be earlier or later than others")

// ErrUnlabelled means that nothing says whether a message is spam.
var ErrUnlabelled = errors.New("neither \"ham\" nor \"spam\" is in the path; put the messages into folders of these names")

// read reads all labelled messages of the paths.
func read(engine *antispam.Engine, paths []string, o Options) (list []sample) {
	each(engine, paths, o, func(s sample) { list = append(list, s) })
	return list
}

// each calls on for each labelled message of the paths, one after the other, so that a collection needs no memory.
func each(engine *antispam.Engine, paths []string, o Options, on func(s sample)) {
	done := 0
	for _, path := range paths {
		for m, err := range corpus.Messages(path, corpus.Limits{}) {
			var s sample
			if err == nil {
				s, err = readOne(engine, path, m, o)
			}
			if err != nil {
				o.skip(err)
				continue
			}
			on(s)
			if done++; o.Progress != nil {
				o.Progress(done)
			}
		}
	}
}

func readOne(engine *antispam.Engine, path string, m corpus.Message, o Options) (sample, error) {
	spam, known := corpus.Label(m.Name)
	if !known {
		spam, known = corpus.LabelOfPath(path)
	}
	if !known {
		return sample{}, fmt.Errorf("%s: %w", m.Name, ErrUnlabelled)
	}
	s, err := reduce(engine, m.Body, o)
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", m.Name, err)
	}
	s.name, s.spam, s.sum = m.Name, spam, sha256.Sum256(m.Body)
	return s, nil
}

// sums are messages, as they lie there.
type sums map[[sha256.Size]byte]struct{}

func sumsOf(samples []sample) sums {
	known := make(sums, len(samples))
	for i := range samples {
		known[samples[i].sum] = struct{}{}
	}
	return known
}

// shared counts the samples that are among others, message for message.
func shared(samples, others []sample) (n int) {
	known := sumsOf(others)
	for i := range samples {
		if _, is := known[samples[i].sum]; is {
			n++
		}
	}
	return n
}

func (o Options) skip(err error) {
	if o.Skipped != nil {
		o.Skipped(err)
	}
}

// reduce finds what a message is judged by.
func reduce(engine *antispam.Engine, body []byte, o Options) (sample, error) {
	if o.Masked {
		body = mask(body)
	}
	r := bytes.NewReader(body)
	parsed, err := message.Parse(r, int64(len(body)), message.DefaultLimits)
	if err != nil {
		return sample{}, err
	}
	f, err := engine.Examine(&antispam.Mail{Parsed: parsed, Content: r})
	if err != nil {
		return sample{}, err
	}
	defer f.Close()
	return sample{
		source: antispam.Source(parsed), date: parsed.Envelope.Sent, rules: f.Rules(),
		tokens: f.Tokens(), said: len(f.WordTokens()),
	}, nil
}

// authored are the fields that the author's program writes.
var authored = []string{"From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID", "X-Mailer", "User-Agent",
	"X-Priority", "X-MSMail-Priority", "X-MimeOLE", "Importance", "Thread-Topic", "Thread-Index"}

// mask leaves the authored fields.
func mask(body []byte) []byte {
	end := 0
	for s := message.ScanHeader(body); s.Next(); {
		end += len(s.Raw())
	}
	out := message.FilterHeader(make([]byte, 0, len(body)), body[:end], authored, false)
	rest := body[end:]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[i+1:]
	}
	return append(out, rest...)
}
