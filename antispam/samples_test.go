package antispam

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"postern/internal/testenv"
	"postern/internal/verdict"
)

// judgement is how a message was judged by the engine alone.
type judgement struct {
	name  string
	score verdict.Points
	why   string
}

// judgeAll judges messages as they are: without the DNS, by the prior that the program carries.
func judgeAll(t *testing.T, messages map[string]string) []judgement {
	t.Helper()
	engine := New()
	var list []judgement
	for name, source := range messages {
		f := examineSource(t, engine, source, nil)
		rules, words := f.Rules(), f.Words()
		why := fmt.Sprintf("words %s=%s", words.Result, words.Points)
		for _, p := range rules.Parts {
			why += fmt.Sprintf(" %s=%s", p.Name, p.Points)
		}
		list = append(list, judgement{name, rules.Points + words.Points, why})
	}
	sort.Slice(list, func(i, j int) bool {
		return list[i].score > list[j].score || list[i].score == list[j].score && list[i].name < list[j].name
	})
	return list
}

// archive reads the messages of a file in testdata.
func archive(t *testing.T, name string) map[string]string {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	messages := map[string]string{}
	for _, f := range a.Files {
		if messages[f.Name] != "" {
			t.Errorf("%s holds %s twice", name, f.Name)
		}
		messages[f.Name] = string(f.Data)
	}
	return messages
}

// mostKept is the most points that a wanted message in testdata may have: Junk begins a point above.
const mostKept verdict.Points = 400

func TestWantedMailOfOurDaysIsKept(t *testing.T) {
	messages := archive(t, "wanted.txtar")
	if len(messages) < 60 {
		t.Fatalf("there are %d messages only", len(messages))
	}
	for _, j := range judgeAll(t, messages) {
		if j.score > mostKept {
			t.Errorf("%s has the score %s: %s", j.name, j.score, j.why)
		}
	}
}

// leastCaught is the share of the unwanted messages in testdata that was caught when the rules were last changed.
const leastCaught = 0.95

func TestUnwantedMailOfOurDaysIsCaught(t *testing.T) {
	messages := archive(t, "unwanted.txtar")
	if len(messages) < 60 {
		t.Fatalf("there are %d messages only", len(messages))
	}
	caught := 0
	for _, j := range judgeAll(t, messages) {
		if j.score >= 500 {
			caught++
		} else {
			t.Logf("%s has the score %s: %s", j.name, j.score, j.why)
		}
	}
	t.Logf("%d of %d are caught", caught, len(messages))
	if float64(caught) < leastCaught*float64(len(messages)) {
		t.Errorf("%d of %d are caught, less than %.0f %%", caught, len(messages), 100*leastCaught)
	}
}

// folder reads the messages of a folder of a suite.
func folder(t *testing.T, suite, name string) map[string]string {
	t.Helper()
	root := filepath.Join(testenv.Testdata(t, suite), name)
	messages := map[string]string{}
	err := filepath.WalkDir(root, func(at string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(at)
		messages[strings.TrimPrefix(at, root+"/")] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(messages) == 0 {
		t.Fatalf("there is no message in %s", root)
	}
	return messages
}

func TestTheMessagesOfSpamAssassinsOwnTestsAreJudged(t *testing.T) {
	const suite = "spamassassin-tdata"
	for _, j := range judgeAll(t, folder(t, suite, "nice")) {
		if j.score >= 500 {
			t.Errorf("nice/%s has the score %s: %s", j.name, j.score, j.why)
		}
	}
	caught := 0
	spam := folder(t, suite, "spam")
	for _, j := range judgeAll(t, spam) {
		if j.score >= 500 {
			caught++
		}
		// The test text is to be met whatever else a message holds, where it stands in the text.
		if strings.Contains(spam[j.name], string(gtube)) && j.score < 900*100 && !strings.Contains(j.name, "extracttext") {
			t.Errorf("spam/%s holds the test text and has the score %s", j.name, j.score)
		}
	}
	t.Logf("%d of %d messages of spam/ are caught; most of them test single features of a filter and are no spam by themselves", caught, len(spam))
}

// TestMailOfTestSuitesIsKept: what others collected to test parsers, bounces and signatures is wanted mail, odd as it is. A
// few among them are spam that somebody found worth keeping.
func TestMailOfTestSuitesIsKept(t *testing.T) {
	for _, suite := range []struct{ name, folder string }{{"bounce-sisimai", "bounce"}, {"bounce-sisimai", "not-a-bounce"}, {"mime-python-email", "."},
		{"mime-mail-parser", "eml"}, {"mime-mimekit", "messages"}, {"dkim-rfc-examples", "original"}, {"dkim-mail-dkim-a", "corpus"}} {
		messages := folder(t, suite.name, suite.folder)
		lost := 0
		for _, j := range judgeAll(t, messages) {
			if j.score >= 500 {
				lost++
				t.Logf("%s/%s has the score %s: %s", suite.name, j.name, j.score, j.why)
			}
		}
		if lost*100 > len(messages) {
			t.Errorf("%d of %d messages of %s are lost", lost, len(messages), suite.name)
		}
	}
}
