package dsn

import (
	"strings"
	"testing"
)

func TestNotifyIsReadAsTheRFCSays(t *testing.T) {
	for s, want := range map[string]Notify{
		"NEVER": NotifyNever, "success": NotifySuccess, "SUCCESS,FAILURE,DELAY": NotifySuccess | NotifyFailure | NotifyDelay,
	} {
		if n, err := ParseNotify(s); n != want || err != nil || !strings.EqualFold(n.String(), s) {
			t.Errorf("%s: %v %v", s, n, err)
		}
	}
	for _, s := range []string{"", "NEVER,SUCCESS", "SUCCESS,SUCCESS", "ALWAYS", "SUCCESS,", " SUCCESS"} {
		if n, err := ParseNotify(s); err == nil {
			t.Errorf("%q is %v", s, n)
		}
	}
}
