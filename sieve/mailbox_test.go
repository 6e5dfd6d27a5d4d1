package sieve

import (
	"errors"
	"strings"
	"testing"
)

// furnished is an account with mailboxes and annotations.
func furnished() *account {
	a := newAccount()
	for _, name := range []string{"Spam", "Old/Spam", "a"} {
		a.mailboxes[name] = []labMail{}
	}
	a.uses = map[string][]string{`\junk`: {"Spam", "Old/Spam"}, `\archive`: {"Old/Spam"}}
	a.metadata = map[[2]string]string{{"a", "/private/comment"}: "my own", {"INBOX", "/shared/comment"}: "Theirs", {"", "/shared/admin"}: "mailto:x@example.com"}
	return a
}

func TestWhichMailboxesAreThere(t *testing.T) {
	for test, holds := range map[string]bool{
		`mailboxexists "Spam"`:                                 true,
		`mailboxexists "inbox"`:                                true,
		`mailboxexists "spam"`:                                 false,
		`mailboxexists ["Spam", "a"]`:                          true,
		`mailboxexists ["Spam", "b"]`:                          false, // RFC 5490 3.1: all of them
		`mailboxexists ""`:                                     false,
		`mailboxexists "${hex:ff}"`:                            false,
		`specialuse_exists "\\Junk"`:                           true, // RFC 8579 3
		`specialuse_exists ["\\JUNK", "\\archive"]`:            true,
		`specialuse_exists ["\\Junk", "\\Sent"]`:               false,
		`specialuse_exists "Spam" "\\Junk"`:                    true,
		`specialuse_exists "Spam" ["\\Junk", "\\Archive"]`:     false,
		`specialuse_exists "Old/Spam" ["\\Junk", "\\Archive"]`: true,
		`specialuse_exists "b" "\\Junk"`:                       false,
		`specialuse_exists "Junk"`:                             false,
	} {
		if furnished().holds(t, `"mailbox", "special-use", "encoded-character"`, test) != holds {
			t.Errorf("%s: %v", test, !holds)
		}
	}
}

func TestFileintoWithItsTags(t *testing.T) {
	o := outcomeOf(t, "require [\"fileinto\", \"mailbox\", \"special-use\", \"copy\"];\nfileinto :create :copy :specialuse \"\\\\Junk\" \"Spam\"; fileinto :copy \"Spam\"; fileinto :copy :create \"Spam\";")
	if o.Err != nil || len(o.Actions) != 2 || !o.ImplicitKeep {
		t.Fatalf("%v, %s", o.Err, done(o))
	}
	if a := o.Actions[0]; !a.Create || a.Use != `\Junk` || a.Mailbox != "Spam" {
		t.Errorf("%+v", a)
	}
	if a := o.Actions[1]; !a.Create || a.Use != "" {
		t.Errorf("%+v", a)
	}
	for script, want := range map[string]string{
		`require ["fileinto", "special-use"]; fileinto :specialuse "Junk" "x";`: "is no special use",
		`require "fileinto"; fileinto :specialuse "\\Junk" "x";`:                `needs require "special-use"`,
		`require "fileinto"; fileinto :create "x";`:                             `needs require "mailbox"`,
		`require "fileinto"; fileinto :copy "x";`:                               `needs require "copy"`,
		`redirect :copy "a@b.example";`:                                         `needs require "copy"`,
	} {
		if p := mistakes(t, script); len(p) == 0 || !strings.Contains(p[0].Text, want) {
			t.Errorf("%s: %v", script, p)
		}
	}
}

func TestWhatMailboxesAndTheServerAreAnnotatedWith(t *testing.T) {
	for test, holds := range map[string]bool{
		`metadata "a" "/private/comment" "MY OWN"`:                                      true, // RFC 5490 4.1
		`metadata "a" "/PRIVATE/Comment" "my own"`:                                      true,
		`metadata :contains "inbox" "/shared/comment" "their"`:                          true,
		`metadata :matches "a" "/private/comment" ["x", "my *"]`:                        true,
		`metadata "a" "/shared/comment" ""`:                                             false, // what is not there matches nothing
		`metadata "b" "/private/comment" "my own"`:                                      false,
		`metadata :count "eq" :comparator "i;ascii-numeric" "a" "/private/comment" "1"`: true,
		`metadataexists "a" "/private/comment"`:                                         true, // RFC 5490 4.2
		`metadataexists "a" ["/private/comment", "/shared/comment"]`:                    false,
		`metadataexists "a" "comment"`:                                                  false,
		`servermetadata "/shared/admin" "mailto:x@example.com"`:                         true, // RFC 5490 5.1
		`servermetadata "/shared/comment" "Theirs"`:                                     false,
		`servermetadataexists "/shared/admin"`:                                          true,
		`servermetadataexists ["/shared/admin", "/shared/comment"]`:                     false,
	} {
		if furnished().holds(t, `"mboxmetadata", "servermetadata", "relational", "comparator-i;ascii-numeric"`, test) != holds {
			t.Errorf("%s: %v", test, !holds)
		}
	}
}

func TestNamesThatNothingHasAreWarnedOf(t *testing.T) {
	const head = "require [\"mailbox\", \"mboxmetadata\", \"servermetadata\", \"special-use\"];\n"
	for test, want := range map[string]string{
		`mailboxexists ["a", ""]`:          `never a mailbox ""`,
		`metadata "" "/shared/a" "x"`:      `never a mailbox ""`,
		`metadata "a" "comment" "x"`:       `begins with /shared/ or /private/`,
		`metadataexists "a" "/shared/a/"`:  `a part of its name is empty`,
		`servermetadataexists "/shared/*"`: `characters that none has`,
		`specialuse_exists "Junk"`:         `is no special use`,
	} {
		s := compiled(t, head+"if "+test+" { keep; }")
		if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0].Text, want) {
			t.Errorf("%s: %v", test, s.Warnings)
		}
	}
}

func TestQuestionsToTheServerAreFew(t *testing.T) {
	a := newAccount()
	list := strings.Repeat(`"inbox", `, 100) + `"inbox"`
	o := a.runs(t, "require \"mailbox\";\n"+strings.Repeat("if mailboxexists ["+list+"] { }\n", 25), sample)
	if !errors.Is(o.Err, ErrBudget) || a.questions > 2_000_000/askCost {
		t.Errorf("%v, %d questions", o.Err, a.questions)
	}
}
