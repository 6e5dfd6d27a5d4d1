package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"postern/internal/testenv"
)

// The prior in the repository is what this script makes of the corpus by the engine as it is: a change of the words that the
// engine reads wants a new one.
func TestTheShippedPriorIsMadeOfTheCorpus(t *testing.T) {
	made, count, err := makePrior(filepath.Join(testenv.Testdata(t, "corpus-spamassassin-2002-2003"), "spamassassin-public-corpus.tar.zst"))
	if err != nil {
		t.Fatal(err)
	}
	if count.Spam < 1000 || count.Ham < 1000 {
		t.Errorf("it is of %d spam and %d ham only", count.Spam, count.Ham)
	}
	shipped, err := os.ReadFile(filepath.Join("..", "..", "antispam", "bayes.prior"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, shipped) {
		t.Error("antispam/bayes.prior is another one; go run ./scripts/prior makes it anew")
	}
}
