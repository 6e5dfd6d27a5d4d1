package evaluate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/internal/testenv"
	"postern/internal/verdict"
)

// junk is the score from which mail goes to Junk by default.
var junk = verdict.P(5)

// corpusPath is the collection that the shipped prior is made of.
func corpusPath(t *testing.T) []string {
	t.Helper()
	const suite = "corpus-spamassassin-2002-2003"
	list, err := filepath.Glob(filepath.Join(testenv.Testdata(t, suite), "*.tar.*"))
	if err != nil || len(list) == 0 {
		t.Fatalf("there is no archive in %s: %v", suite, err)
	}
	return list
}

// What docs/spam-engine.md says of the corpus, as bounds: SpamAssassin 4.0.1 without network tests catches 76.3 % of its spam and
// loses 2.4 % of its wanted mail.
func TestMoreSpamIsCaughtThanBySpamAssassinAndNoHamInAThousandIsLost(t *testing.T) {
	const spamAssassin = 0.763
	paths := corpusPath(t)
	for _, masked := range []bool{false, true} {
		r, err := CrossValidate(paths, 10, junk, Options{Masked: masked})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("masked %t: %+v, recall %.4f", masked, r.Whole, r.Whole.Recall())
		if r.Whole.SpamCaught == 0 || r.Whole.Lost() > 0.001 || r.Whole.Recall() <= spamAssassin {
			t.Errorf("masked %t: %.2f %% are caught and %.3f %% lost", masked, 100*r.Whole.Recall(), 100*r.Whole.Lost())
		}
	}
}

// Of the later half SpamAssassin 4.0.1 catches 71.5 % and loses 2.6 %.
func TestLaterMailIsJudgedByEarlierAndMoreIsCaughtThanBySpamAssassin(t *testing.T) {
	const spamAssassin = 0.715
	paths := corpusPath(t)
	for _, masked := range []bool{false, true} {
		r, err := TimeSplit(paths, 0.5, junk, Options{Masked: masked})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("masked %t: %+v, recall %.4f", masked, r.Whole, r.Whole.Recall())
		if r.Whole.Recall() <= spamAssassin || r.Whole.Lost() > 0.001 {
			t.Errorf("masked %t: %.2f %% are caught and %.3f %% lost", masked, 100*r.Whole.Recall(), 100*r.Whole.Lost())
		}
	}
}

func TestTeachingCatchesMoreAndNoHamInAThousandIsLost(t *testing.T) {
	paths := corpusPath(t)
	last := 0.0
	for _, lessons := range []int{0, 20, 50, 400} {
		r, err := Taught(paths, lessons, junk, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d lessons: %+v, recall %.4f", lessons, r.Whole, r.Whole.Recall())
		if r.Whole.Recall() <= last || r.Whole.Lost() > 0.001 {
			t.Errorf("after %d lessons %.2f %% are caught, %.2f %% before, and %.3f %% lost", lessons, 100*r.Whole.Recall(), 100*last, 100*r.Whole.Lost())
		}
		last = r.Whole.Recall()
	}
}

// letters writes a collection: for each of a year's months a wanted letter and a pill.
func letters(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for month := range 12 {
		for class, text := range map[string]string{
			"ham":  "The kiln was cold when we opened it, and the glazes of shelf %d had run. See you at the fair.",
			"spam": "Cheap viagra and cialis without prescription, order now, offer %d ends today, click here to buy.",
		} {
			path := filepath.Join(dir, class, fmt.Sprint(month))
			body := fmt.Sprintf("Received: from collector.example (collector.example [192.0.2.1])\r\nFrom: someone@%s%d.example\r\nTo: bob@example.org\r\n"+
				"Subject: %s\r\nDate: %d Jan 2024 10:00:00 +0000\r\nMessage-ID: <%d@%s.example>\r\n\r\n"+text+"\r\n", class, month, class, month+1, month, class, month)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func TestEachMessageIsJudgedOnceAndNeverByItself(t *testing.T) {
	paths := []string{letters(t)}
	whole, err := CrossValidate(paths, 4, junk, Options{})
	if err != nil {
		t.Fatal(err)
	}
	half, err := TimeSplit(paths, 0.5, junk, Options{})
	if err != nil {
		t.Fatal(err)
	}
	taught, err := Taught(paths, 3, junk, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name          string
		report        *Report
		each, learned uint32
		taught        uint32
	}{{"in folds", whole, 12, 12, 0}, {"by date", half, 6, 6, 0}, {"taught", taught, 4, 4, 3}} {
		m := c.report.Whole
		if m.SpamCaught+m.SpamMissed != int(c.each) || m.HamKept+m.HamLost != int(c.each) {
			t.Errorf("%s: %+v", c.name, m)
		}
		if c.report.Taught.Spam != c.taught || c.report.Taught.Ham != c.taught {
			t.Errorf("%s: the account was taught %+v", c.name, c.report.Taught)
		}
		if c.report.Trained.Spam != c.learned || c.report.Trained.Ham != c.learned || c.report.Learnt != 0 {
			t.Errorf("%s: learnt %+v, %d of them judged", c.name, c.report.Trained, c.report.Learnt)
		}
		for _, p := range append(c.report.Parts, Part{Alone: m, Without: m}) {
			for _, x := range []Matrix{p.Alone, p.Without} {
				if x.SpamCaught+x.SpamMissed+x.HamKept+x.HamLost != int(2*c.each) {
					t.Errorf("%s: %s counts %+v", c.name, p.Name, x)
				}
			}
		}
	}
}

func TestWhatIsLearntAndJudgedIsSaid(t *testing.T) {
	dir := letters(t)
	r, err := Test([]string{dir}, []string{dir, letters(t)}, junk, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Learnt != 48 || r.Trained.Spam != 12 || r.Shipped {
		t.Errorf("%+v", r)
	}
	if r, err = Test(nil, []string{dir}, junk, Options{}); err != nil || !r.Shipped || r.Learnt != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := Test([]string{filepath.Join(dir, "ham")}, []string{dir}, junk, Options{}); err == nil || !strings.Contains(err.Error(), "0 spam and 12 ham") {
		t.Errorf("with ham alone: %v", err)
	}
	if _, err := Taught([]string{dir}, 5, junk, Options{}); err == nil || !strings.Contains(err.Error(), "ham there are 4") {
		t.Errorf("five lessons of four: %v", err)
	}
	if _, err := Taught([]string{filepath.Join(dir, "ham")}, 1, junk, Options{}); err == nil || !strings.Contains(err.Error(), "spam there are 0") {
		t.Errorf("a lesson of no spam: %v", err)
	}
	if _, err := Test(nil, []string{t.TempDir()}, junk, Options{}); err == nil {
		t.Error("nothing is judged without an error")
	}
}

// However much spam was missed, each wanted message that was lost is named.
func TestMistakesOfOneClassDoNotCrowdOutTheOther(t *testing.T) {
	var mbox strings.Builder
	for i := range maxMistakes + 5 {
		fmt.Fprintf(&mbox, "From someone@example.com Thu Jan  1 00:00:00 2026\nFrom: anna@example.com\nSubject: kiln %d\n\nIt was cold.\n\n", i)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"1-spam/all.mbox": mbox.String(),
		"2-ham/lost":      "From: anna@example.com\nSubject: test\n\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Test(nil, []string{dir}, junk, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Whole.SpamMissed != maxMistakes+5 || len(r.Mistakes) != maxMistakes+1 || r.Mistakes[0].Name != "2-ham/lost" {
		t.Errorf("%+v, %d mistakes, the first %+v", r.Whole, len(r.Mistakes), r.Mistakes[0])
	}
}

func TestTwinsThatAreLearntFromAndJudgedAreSaid(t *testing.T) {
	dir := letters(t)
	for _, class := range []string{"ham", "spam"} {
		body, err := os.ReadFile(filepath.Join(dir, class, "5"))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, class, "twin of 5"), body, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	paths := []string{dir}
	folds, err := CrossValidate(paths, 100, junk, Options{})
	if err != nil {
		t.Fatal(err)
	}
	// Those of one author are in one part.
	if folds.Learnt != 2 {
		t.Errorf("in folds: %d of the judged were learnt", folds.Learnt)
	}
	half, err := TimeSplit(paths, 0.5, junk, Options{}) // six of thirteen
	if err != nil {
		t.Fatal(err)
	}
	if half.Learnt != 2 {
		t.Errorf("by date: %d of the judged were learnt", half.Learnt)
	}
}

func TestALinkThatIsNamedAndThePathToItTellTheClass(t *testing.T) {
	dir := letters(t)
	link := filepath.Join(t.TempDir(), "spam-filter", "easy_ham")
	err := os.Mkdir(filepath.Dir(link), 0o755)
	if err == nil {
		err = os.Symlink(filepath.Join(dir, "ham"), link)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := Test(nil, []string{link}, junk, Options{})
	if err != nil || r.Whole.Ham() != 12 || r.Whole.Spam() != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAMaskTakesOutWhatTheAuthorsProgramDidNotWrite(t *testing.T) {
	got := string(mask([]byte("Received: from collector.example\r\n by mx\r\nFrom: a@example.com\r\nX-Collected: yes\r\nSubject: one\r\n two\r\n\r\nReceived: text\r\n")))
	if want := "From: a@example.com\r\nSubject: one\r\n two\r\n\r\nReceived: text\r\n"; got != want {
		t.Errorf("%q", got)
	}
	if got := string(mask([]byte("X-Only: field\r\n"))); strings.TrimSpace(got) != "" {
		t.Errorf("%q", got)
	}
}
