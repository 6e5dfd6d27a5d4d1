package webmail_test

import "testing"

func TestRoundcube(t *testing.T) {
	d := sit(t)
	d.step("a filter made in the browser files the next message", filterFiles)
	d.step("an answer written in the browser leaves", answerLeaves)
	d.step("so does a letter", letterLeaves)
	d.logged()
	d.step("what the server refuses is told", mistakesAreTold)
}
