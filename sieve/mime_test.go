package sieve

import (
	"context"
	"strings"
	"testing"
)

const partExtensions = `"mime", "foreverypart", "extracttext", "variables", "fileinto", "copy", "relational", "comparator-i;ascii-numeric", "index"`

// filedFor gives the actions of a script for that message.
func filedFor(t *testing.T, script string) string {
	t.Helper()
	o := compiled(t, "require ["+partExtensions+"];\n"+script).Run(context.Background(), jobFor(t, enclosed))
	if o.Err != nil {
		t.Fatalf("%s: %v", script, o.Err)
	}
	return strings.NewReplacer("fileinto ", "", ", implicit", "", "implicit", "").Replace(done(o))
}

func TestMIMETestsLookAtPartsAndTheirFields(t *testing.T) {
	for _, c := range []struct {
		test  string
		holds bool
	}{
		// RFC 5703 4.1
		{`header :mime "subject" "Parts"`, true},
		{`header :mime :contains "content-type" "text/"`, false},
		{`header :mime :anychild :contains "content-type" "text/html"`, true},
		{`header :mime :anychild "subject" "Inside"`, true},
		{`header "subject" "Inside"`, false},
		{`header :mime :type "content-type" "multipart"`, true},
		{`header :mime :subtype "content-type" "mixed"`, true},
		{`header :mime :contenttype "content-type" "MULTIPART/mixed"`, true},
		{`header :mime :anychild :contenttype "content-type" "application/pdf"`, true},
		{`header :mime :anychild :type "content-type" "image"`, false},
		{`header :mime :param "boundary" "content-type" "outer"`, true},
		{`header :mime :anychild :param ["name", "filename"] ["content-type", "content-disposition"] "bill of may.pdf"`, true},
		{`header :mime :anychild :param "name" "content-type" "bill.pdf"`, true},
		{`header :mime :anychild :param "nothing" "content-type" ""`, false},
		{`header :mime :anychild :type "content-disposition" "attachment"`, true},
		{`header :mime :anychild :contenttype "content-disposition" "attachment"`, true},
		{`header :mime :anychild :subtype "content-disposition" ""`, true},
		{`header :mime :anychild :subtype "content-disposition" "attachment"`, false},
		{`header :mime :type "subject" ""`, true}, // blank (RFC 5703 4.1)
		{`header :mime :anychild :count "eq" :comparator "i;ascii-numeric" "content-type" "6"`, true},
		{`header :mime :anychild :index 1 "subject" "Inside"`, true}, // counted in each part
		// RFC 5703 4.2, 4.3
		{`address :mime :anychild "from" "eve@example.net"`, true},
		{`address :mime "from" "eve@example.net"`, false},
		{`address :mime :anychild :domain :count "eq" :comparator "i;ascii-numeric" "from" "2"`, true},
		{`exists :mime :anychild ["content-language", "content-disposition"]`, true},
		{`exists :mime "content-language"`, false},
		{`exists "content-language"`, false},
		{`exists :mime :anychild "x-absent"`, false},
	} {
		if got := holdsFor(t, partExtensions, c.test, enclosed); got != c.holds {
			t.Errorf("%s is %v", c.test, got)
		}
	}
}

func TestLoopsGoOverThePartsInTheirOrder(t *testing.T) {
	const types = `if header :mime :matches :contenttype "content-type" "*" { fileinto :copy "${n}${0}"; } else { fileinto :copy "${n}none"; } set "n" "${n}+"; `
	for _, c := range []struct{ script, done string }{
		{`foreverypart { ` + types + `}`,
			"multipart/mixed, +text/plain, ++multipart/alternative, +++text/html, ++++application/pdf, +++++message/rfc822, ++++++none"},
		{`foreverypart { if header :mime :subtype "content-type" "alternative" { foreverypart { ` + types + `} } }`, "text/html"},
		{`foreverypart { if header :mime :type "content-type" "text" { foreverypart { fileinto "never"; } } }`, ""},
		{`foreverypart { ` + types + `if header :mime :type "content-type" "text" { break; } }`, "multipart/mixed, +text/plain"},
		{`foreverypart :name "a" { foreverypart :name "b" { ` + types + `break :name "a"; } }`, "text/plain"},
		{`foreverypart :name "a" { foreverypart { ` + types + `break; } if header :mime :type "content-type" "text" { break :name "a"; } }`, "text/plain"},
		{`foreverypart { if header :mime :anychild :type "content-type" "application" { fileinto :copy "x${n}"; } set "n" "${n}+"; }`, "x, x++++"},
		{`foreverypart { set "n" "${n}+"; stop; } fileinto "never";`, ""},
		{`foreverypart { set "n" "${n}+"; } fileinto "${n}"; if header :mime :type "content-type" "multipart" { fileinto "again"; }`, "+++++++, again"},
		{`foreverypart { if address :mime "from" "eve@example.net" { fileinto "eve"; } }`, "eve"},
		{`foreverypart { if header "subject" "Parts" { set "n" "${n}+"; } } fileinto "${n}";`, "+++++++"}, // without :mime it is the message's
	} {
		if got := filedFor(t, c.script); got != c.done {
			t.Errorf("%s\ngives %q, should give %q", c.script, got, c.done)
		}
	}
}

func TestTheTextOfAPartIsExtracted(t *testing.T) {
	for _, c := range []struct{ part, command, want string }{
		{`header :mime :subtype "content-type" "plain"`, `extracttext :first 5 "t"`, "Grüße"},
		{`header :mime :subtype "content-type" "plain"`, `extracttext :first 5 :upper "t"`, "GRÜSSE"},
		{`header :mime :subtype "content-type" "plain"`, `extracttext :first 5 :length "t"`, "5"},
		{`header :mime :subtype "content-type" "html"`, `extracttext "t"`, "Billige Uhren"},
		{`header :mime :type "content-type" "application"`, `extracttext "t"`, ""},
		{`header :mime :type "content-type" "multipart"`, `extracttext "t"`, ""},
		{`not exists :mime "content-type"`, `extracttext :first 9 "t"`, "The inner"},
		{`header :mime :subtype "content-type" "plain"`, `extracttext :first 0 "t"`, ""},
	} {
		got := filedFor(t, `set "t" "before"; foreverypart { if `+c.part+` { `+c.command+`; break; } } fileinto ":${t}";`)
		if strings.EqualFold(got, ":"+c.want) && got != ":GRÜßE" || got == ":GRÜßE" && c.want == "GRÜSSE" {
			continue
		}
		t.Errorf("%s of %s gives %q, should give %q", c.command, c.part, got, c.want)
	}
}

func TestMistakesAboutPartsAreTold(t *testing.T) {
	for script, why := range map[string]string{
		`break;`: "there is no foreverypart around",
		`foreverypart :name "a" { break :name "b"; }`:                 "no foreverypart around this break is named \"b\"",
		`foreverypart { keep; } break;`:                               "there is no foreverypart around",
		`foreverypart;`:                                               "requires a block",
		`foreverypart "x" { }`:                                        "requires 0 positional arguments",
		`foreverypart :name "${n}" { }`:                               "no variable may stand",
		`extracttext "t";`:                                            "belongs into the block of a foreverypart",
		`foreverypart { extracttext; }`:                               "requires 1 positional arguments",
		`foreverypart { extracttext "1x"; }`:                          "is no name of a variable",
		`foreverypart { extracttext :upper :lower "t"; }`:             "stands there already",
		`if header :anychild "a" "b" { keep; }`:                       "':anychild' goes with ':mime'",
		`if header :type "content-type" "b" { keep; }`:                "':type' goes with ':mime'",
		`if header :mime :type :subtype "content-type" "b" { keep; }`: "stands there already",
		`if address :mime :type "from" "b" { keep; }`:                 "unknown tagged argument ':type'",
		`if exists :anychild "from" { keep; }`:                        "':anychild' goes with ':mime'",
	} {
		problems := mistakes(t, "require ["+partExtensions+"];\n"+script)
		if len(problems) != 1 || !strings.Contains(problems[0].Text, why) {
			t.Errorf("%s: %v", script, problems)
		}
	}
	for _, name := range []string{"replace", "enclose"} {
		if problems := mistakes(t, "require \""+name+"\";"); len(problems) != 1 || !strings.Contains(problems[0].Text, "there is no extension") {
			t.Errorf("%s: %v", name, problems)
		}
	}
	if problems := mistakes(t, "require [\"foreverypart\", \"extracttext\"];\nforeverypart { extracttext \"t\"; }"); len(problems) != 1 || !strings.Contains(problems[0].Text, "variables") {
		t.Errorf("%v", problems)
	}
	if problems := mistakes(t, "if header :mime \"a\" \"b\" { keep; }"); len(problems) != 1 || !strings.Contains(problems[0].Text, "needs require \"mime\"") {
		t.Errorf("%v", problems)
	}
}

func TestAChangedHeaderIsThatOfTheFirstPart(t *testing.T) {
	o := compiled(t, "require [\"mime\", \"foreverypart\", \"editheader\", \"fileinto\"];\naddheader \"X-New\" \"v\";\nforeverypart { if header :mime \"x-new\" \"v\" { fileinto \"a\"; } }").
		Run(context.Background(), jobFor(t, enclosed))
	if got := done(o); got != "fileinto a" {
		t.Error(got)
	}
}
