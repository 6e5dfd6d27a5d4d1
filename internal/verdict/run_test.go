package verdict

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestARunIsReadAsItWasWritten(t *testing.T) {
	var r Recorder
	if r.Run(0) != nil {
		t.Error("there is a run without a script")
	}
	own := r.Script(RunScript{Name: "main", Version: "aa"})
	all := r.Script(RunScript{Name: "all", Owner: "server", Role: "global", Version: "bb"})
	if again := r.Script(RunScript{Name: "main", Version: "aa"}); again != own {
		t.Errorf("the same script is number %d and %d", own, again)
	}
	steps := []RunStep{{own, 3, "header", true, false}, {own, 4, "spamtest", true, true}, {all, 1, "keep", false, false}, {own, 5, "fileinto", false, false}}
	for _, s := range steps {
		r.Step(s)
	}
	run := r.Run(17)
	if want := "#0 3:header- 4:spamtest+ #1 1:keep #0 5:fileinto"; run.Steps != want || run.Cost != 17 || run.More != 0 {
		t.Errorf("%+v, want %s", run, want)
	}
	if got := slices.Collect(run.Each); !slices.Equal(got, steps) {
		t.Errorf("%+v, want %+v", got, steps)
	}
	trace := &Trace{Recipients: []Recipient{{Run: run}, {Run: &Run{More: 3}}}}
	want, _ := json.Marshal(trace)
	if got, err := trace.AppendJSON(nil); err != nil || string(got) != string(want) {
		t.Errorf("%v\n%s\n%s", err, got, want)
	}
}

func TestALongRunIsCutAndSaysSo(t *testing.T) {
	var r Recorder
	r.Script(RunScript{Name: "main"})
	for i := range 10_000 {
		r.Step(RunStep{Line: i + 1, Name: "keep"})
	}
	run := r.Run(1)
	kept := len(slices.Collect(run.Each))
	if len(run.Steps) > maxSteps || kept < 300 || kept+run.More != 10_000 {
		t.Errorf("%d bytes, %d steps and %d more", len(run.Steps), kept, run.More)
	}
}

func FuzzRun(f *testing.F) {
	f.Add("#0 3:header- 4:keep #1 1:keep")
	f.Add("#-1 1:x #9999999999999999999 :: +:-")
	f.Fuzz(func(t *testing.T, steps string) {
		r := &Run{Scripts: make([]RunScript, 2), Steps: steps}
		for s := range r.Each {
			if s.Script < 0 || s.Script > 1 || strings.ContainsAny(s.Name, " #") && !strings.Contains(steps, s.Name) {
				t.Fatalf("%+v", s)
			}
		}
	})
}
