// Prior makes the prior that the program carries from the training corpus: what share of spam and of wanted mail has each
// word. It holds hashes of words and two small numbers for each, no text.
//
//	go run ./scripts/prior -corpus DIR -out antispam/bayes.prior
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"postern/antispam"
	"postern/antispam/bayes"
	"postern/internal/corpus"
	"postern/internal/message"
)

func main() {
	testdata := os.Getenv("POSTERN_TESTDATA")
	if testdata == "" {
		testdata = filepath.Join("..", "shared", "testdata")
	}
	from := flag.String("corpus", filepath.Join(testdata, "corpus-spamassassin-2002-2003", "spamassassin-public-corpus.tar.zst"), "folder or archive with ham and spam")
	out := flag.String("out", filepath.Join("antispam", "bayes.prior"), "file to write")
	flag.Parse()
	prior, count, err := makePrior(*from)
	if err == nil {
		err = os.WriteFile(*out, prior, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "prior:", err)
		os.Exit(1)
	}
	fmt.Printf("%s: %d bytes from %d spam and %d ham\n", *out, len(prior), count.Spam, count.Ham)
}

func makePrior(from string) ([]byte, bayes.Count, error) {
	engine := antispam.NewWithPrior(nil)
	var l bayes.Learner
	for m, err := range corpus.Messages(from, corpus.Limits{}) {
		if err != nil {
			return nil, bayes.Count{}, fmt.Errorf("%s: %w", m.Name, err)
		}
		spam, known := corpus.Label(m.Name)
		if !known {
			return nil, bayes.Count{}, fmt.Errorf("%s: neither ham nor spam", m.Name)
		}
		if err := learn(engine, &l, m.Body, spam); err != nil {
			return nil, bayes.Count{}, fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return bayes.EncodePrior(l.Tokens()), l.Count(), nil
}

func learn(engine *antispam.Engine, l *bayes.Learner, body []byte, spam bool) error {
	r := bytes.NewReader(body)
	parsed, err := message.Parse(r, int64(len(body)), message.DefaultLimits)
	if err != nil {
		return err
	}
	f, err := engine.Examine(&antispam.Mail{Parsed: parsed, Content: r})
	if err != nil {
		return err
	}
	defer f.Close()
	l.Add(f.WordTokens(), spam, antispam.Source(parsed))
	return nil
}
