package main

import (
	"strings"
	"testing"
)

func summary(t *testing.T, goFailed, ci bool, events ...string) (string, bool) {
	t.Helper()
	var out strings.Builder
	r := newReport(&out)
	r.read(strings.NewReader(strings.Join(events, "\n") + "\n"))
	good := r.finish(goFailed, ci)
	return out.String(), good
}

const (
	pass = `{"Action":"pass","Package":"p","Test":"TestA"}`
	skip = `{"Action":"output","Package":"p","Test":"TestB","Output":"    env.go:12: missing: program \"swaks\"\n"}
{"Action":"skip","Package":"p","Test":"TestB"}`
	fail = `{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:3: got 1\n"}
{"Action":"fail","Package":"p","Test":"TestC"}
{"Action":"fail","Package":"p"}`
	broken = `{"ImportPath":"q","Action":"build-output","Output":"q.go:1: syntax error\n"}
{"Action":"fail","Package":"q","FailedBuild":"q"}`
)

func TestASkippedTestIsNamedWithItsReasonAndFailsOnlyInCI(t *testing.T) {
	out, good := summary(t, false, false, pass, skip)
	if !good || !strings.Contains(out, "  p TestB: missing: program \"swaks\"\n") || !strings.HasSuffix(out, "\n1 passed, 0 failed, 1 skipped\n") {
		t.Errorf("good %v:\n%s", good, out)
	}
	out, good = summary(t, false, true, pass, skip)
	if good || !strings.Contains(out, "in CI nothing may be left out") {
		t.Errorf("good %v:\n%s", good, out)
	}
}

func TestAFailedTestShowsItsOutput(t *testing.T) {
	out, good := summary(t, true, true, pass, fail)
	if good || !strings.Contains(out, "c_test.go:3: got 1\n") || !strings.HasSuffix(out, "\n1 passed, 1 failed\n") {
		t.Errorf("good %v:\n%s", good, out)
	}
}

func TestATestThatDidNotEndIsNamedWithWhatItSaid(t *testing.T) {
	out, good := summary(t, true, true, pass, `{"Action":"run","Package":"p","Test":"TestD"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN TestA\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestD","Output":"panic: test timed out after 20m0s\n"}
{"Action":"output","Package":"p","Output":"FAIL p 1200s\n"}
{"Action":"fail","Package":"p"}`)
	if good || !strings.Contains(out, "panic: test timed out") || !strings.Contains(out, "  p TestD did not end\n") || strings.Contains(out, "p TestA") {
		t.Errorf("good %v:\n%s", good, out)
	}
}

func TestAPackageThatDoesNotBuildIsAFailure(t *testing.T) {
	out, good := summary(t, true, false, pass, broken)
	if good || !strings.Contains(out, "q.go:1: syntax error") || !strings.HasSuffix(out, "\n1 passed, 1 failed\n") {
		t.Errorf("good %v:\n%s", good, out)
	}
}

func TestARunWithoutTestsIsNotGood(t *testing.T) {
	if out, good := summary(t, false, false, `{"Action":"skip","Package":"p"}`); good {
		t.Errorf("good:\n%s", out)
	}
	if out, good := summary(t, true, false, pass); good || !strings.Contains(out, "without a failed test") {
		t.Errorf("good %v:\n%s", good, out)
	}
}
