package managesieve

import (
	"fmt"
	"strings"
	"testing"
)

func TestCapabilitiesAreThoseOfTheState(t *testing.T) {
	w := newWorld(t)
	w.user().talk(t, `
		C: CAPABILITY
		S: "IMPLEMENTATION" "Postern 1.2"
		S: "SASL" "SCRAM-SHA-256 PLAIN"
		S: "SIEVE" "fileinto enotify"
		S: "NOTIFY" "mailto"
		S: "MAXREDIRECTS" "4"
		S: "UNAUTHENTICATE"
		S: "OWNER" "alice@example.test"
		S: "VERSION" "1.0"
		S: OK "Capability completed"
		C: unauthenticate
		S: OK "You are logged out"
		C: capability`+strings.Replace(secured, "TLS is active", "Capability completed", 1)+`
		C: CAPABILITY now
		S: NO …`)
	p := w.dial()
	p.talk(t, greeting+"C: CAPABILITY"+strings.Replace(greeting, "mail.example.test Postern ready", "Capability completed", 1))
	newWorld(t, limited(Limits{OfferPlus: true})).dial().talk(t, greeting+`
		C: STARTTLS
		S: OK …
		TLS
		S: "IMPLEMENTATION" "Postern"
		S: "SASL" "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN"`)
	newWorld(t, func(s *Server) { s.TLS = nil }).dial().talk(t, `
		S: "IMPLEMENTATION" …
		S: "SASL" ""
		S: "SIEVE" …
		S: "NOTIFY" …
		S: "MAXREDIRECTS" …
		S: "UNAUTHENTICATE"
		S: "VERSION" "1.0"
		S: OK …
		C: STARTTLS
		S: NO "TLS is not available"`)
}

func TestScriptsArePutListedReadRenamedAndDeleted(t *testing.T) {
	w := newWorld(t)
	w.user().talk(t, `
		C: LISTSCRIPTS
		S: OK "Listscripts completed"
		C: HAVESPACE "main" 100
		S: OK "There is room for it"
		C: PUTSCRIPT "main" {18+}
		C: require "a";\r\nkeep
		S: OK "The script is stored"
		C: PUTSCRIPT "spare" "keep; # \\ \"quoted\""
		S: OK "The script is stored"
		C: PUTSCRIPT {9+}
		R: a "b" \x5c c
		C:  ""
		S: OK "The script is stored"
		C: SETACTIVE "main"
		S: OK "The script is active now"
		C: listscripts
		S: "a \"b\" \\ c"
		S: "main" ACTIVE
		S: "spare"
		S: OK "Listscripts completed"
		C: GETSCRIPT "main"
		S: {18}
		S: require "a";
		S: keep
		S: OK "Getscript completed"
		C: GETSCRIPT "a \"b\" \\ c"
		S: {0}
		S: 
		S: OK "Getscript completed"
		C: DELETESCRIPT "main"
		S: NO (ACTIVE) …
		C: RENAMESCRIPT "main" "spare"
		S: NO (ALREADYEXISTS) …
		C: RENAMESCRIPT "main" "first"
		S: OK "The script has its new name"
		C: LISTSCRIPTS
		S: "a \"b\" \\ c"
		S: "first" ACTIVE
		S: "spare"
		S: OK "Listscripts completed"
		C: SETACTIVE ""
		S: OK "No script is active now"
		C: DELETESCRIPT "first"
		S: OK "The script is deleted"
		C: LOGOUT
		S: OK "Goodbye"
		S: <closed>`)
	if got := w.content("spare"); got != `keep; # \ "quoted"` {
		t.Errorf("stored %q", got)
	}
}

func TestWhatIsNotThereIsNonexistent(t *testing.T) {
	newWorld(t).user().talk(t, `
		C: GETSCRIPT "x"
		S: NO (NONEXISTENT) …
		C: SETACTIVE "x"
		S: NO (NONEXISTENT) …
		C: DELETESCRIPT "x"
		S: NO (NONEXISTENT) …
		C: RENAMESCRIPT "x" "y"
		S: NO (NONEXISTENT) …`)
}

func TestNamesOfScripts(t *testing.T) {
	newWorld(t).user().talk(t, fmt.Sprintf(`
		C: PUTSCRIPT "" "keep;"
		S: NO "A script needs a name; …
		C: GETSCRIPT ""
		S: NO …
		C: RENAMESCRIPT "x" ""
		S: NO …
		C: PUTSCRIPT {3+}\r\na\nb "keep;"
		S: NO …
		C: PUTSCRIPT "\xff" "keep;"
		S: NO …
		C: PUTSCRIPT "%s" "keep;"
		S: NO …
		C: PUTSCRIPT "%[2]s" "keep;"
		S: OK …
		C: PUTSCRIPT "u\u0308" "keep;"
		S: OK …
		C: LISTSCRIPTS
		S: "ü"
		S: "%[2]s"
		S: OK …
		C: GETSCRIPT "\u00fc"
		S: {5}
		S: keep;
		S: OK …`, strings.Repeat("x", 129), strings.Repeat("ü", 128)))
}

func TestACompilerSpeaksToTheUser(t *testing.T) {
	w := newWorld(t)
	w.user().talk(t, `
		C: CHECKSCRIPT "keep;"
		S: OK "The script is in order"
		C: CHECKSCRIPT {5+}\r\nerror
		S: NO {59}
		S: line 1: "error" is no command; remove it
		S: line 2: see there
		C: CHECKSCRIPT "warning"
		S: OK (WARNINGS) {48}
		S: line 1: this does nothing
		S: line 3: nor does this
		C: PUTSCRIPT "main" "error"
		S: NO {59}
		S: line 1: …
		S: line 2: …
		C: LISTSCRIPTS
		S: OK …
		C: PUTSCRIPT "main" "warning"
		S: OK (WARNINGS) {48}
		S: line 1: …
		S: line 3: …
		C: PUTSCRIPT "main" "error"
		S: NO {59}
		S: line 1: …
		S: line 2: …
		C: GETSCRIPT "main"
		S: {7}
		S: warning
		S: OK …`)
}

func TestAScriptThatCannotBeCheckedNowIsTriedLater(t *testing.T) {
	newWorld(t).user().talk(t, `
		C: CHECKSCRIPT "trouble"
		S: NO (TRYLATER) …
		C: PUTSCRIPT "main" "trouble"
		S: NO (TRYLATER) …
		C: LISTSCRIPTS
		S: OK …`)
}

func TestAFaultOfTheCompilerEndsOneSession(t *testing.T) {
	w := newWorld(t)
	w.user().talk(t, `
		C: CHECKSCRIPT "panic"
		S: BYE (TRYLATER) "Internal error"
		S: <closed>`)
	w.user().talk(t, "C: NOOP\nS: OK \"Done\"")
}

func TestQuotas(t *testing.T) {
	w := newWorld(t, limited(Limits{ScriptBytes: 2048}))
	for name, value := range map[string]string{"sieve.max_scripts": "2", "sieve.max_script_size": "2KiB", "sieve.max_storage": "3KiB"} {
		if err := w.settings.Set(t.Context(), name, value); err != nil {
			t.Fatal(err)
		}
	}
	w.user().talk(t, fmt.Sprintf(`
		C: HAVESPACE "a" 2048
		S: OK …
		C: HAVESPACE "a" 2049
		S: NO (QUOTA/MAXSIZE) …
		C: HAVESPACE "a" 4294967295
		S: NO (QUOTA/MAXSIZE) …
		C: HAVESPACE "a" 4294967296
		S: NO …
		C: PUTSCRIPT "a" {2049+}\r\n%[1]s#
		S: NO (QUOTA/MAXSIZE) "The script has 2049 bytes and 2048 are allowed; make it shorter"
		C: CHECKSCRIPT {2049+}\r\n%[1]s#
		S: NO (QUOTA/MAXSIZE) …
		C: PUTSCRIPT "a" {2048+}\r\n%[1]s
		S: OK …
		C: HAVESPACE "b" 2000
		S: NO (QUOTA) …
		C: PUTSCRIPT "b" {2048+}\r\n%[1]s
		S: NO (QUOTA) …
		C: PUTSCRIPT "b" "keep;"
		S: OK …
		C: HAVESPACE "c" 1
		S: NO (QUOTA/MAXSCRIPTS) …
		C: PUTSCRIPT "c" "keep;"
		S: NO (QUOTA/MAXSCRIPTS) …
		C: PUTSCRIPT "b" "stop;"
		S: OK …`, strings.Repeat("#", 2048)))
}

func TestNoopGivesBackItsTag(t *testing.T) {
	newWorld(t).dial().talk(t, greeting+`
		C: NOOP
		S: OK "Done"
		C: NOOP "STARTTLS-SYNC-42"
		S: OK (TAG "STARTTLS-SYNC-42") "Done"
		C: NOOP {4+}\r\na\r\nb
		S: OK (TAG {4}
		S: a
		S: b) "Done"`)
}

func TestPipelinedCommandsAreAnsweredInOrder(t *testing.T) {
	w := newWorld(t)
	p := w.user()
	var sent strings.Builder
	for i := range 200 {
		fmt.Fprintf(&sent, "NOOP \"%d\"\r\nCHECKSCRIPT {6+}\r\nNOOP\r\n\r\n", i)
	}
	go func() { _, _ = p.Write([]byte(sent.String() + "LOGOUT\r\nNOOP \"behind\"\r\n")) }()
	for i := range 200 {
		p.talk(t, fmt.Sprintf("S: OK (TAG \"%d\") \"Done\"\nS: OK \"The script is in order\"", i))
	}
	p.talk(t, "S: OK \"Goodbye\"\nS: <closed>")
}

func TestUsersSeeNothingOfEachOther(t *testing.T) {
	w := newWorld(t)
	w.user().talk(t, "C: PUTSCRIPT \"main\" \"keep;\"\nS: OK …\nC: SETACTIVE \"main\"\nS: OK …")
	p := w.enter()
	bob := "C: AUTHENTICATE \"PLAIN\" \"" + plain("bob@example.test", testPassword) + "\"\nS: OK …\n"
	p.talk(t, bob+`
		C: LISTSCRIPTS
		S: OK …
		C: GETSCRIPT "main"
		S: NO (NONEXISTENT) …
		C: PUTSCRIPT "main" "stop;"
		S: OK …
		C: UNAUTHENTICATE
		S: OK …
		C: LISTSCRIPTS
		S: NO "Please log in first"
		C: AUTHENTICATE "PLAIN" "`+plain(testLogin, testPassword)+`"
		S: OK …
		C: LISTSCRIPTS
		S: "main" ACTIVE
		S: OK …
		C: GETSCRIPT "main"
		S: {5}
		S: keep;
		S: OK …`)
}
