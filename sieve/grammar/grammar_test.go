package grammar

import (
	"fmt"
	"strings"
	"testing"
)

func TestAMistakeIsToldWithItsPlaceAndItsRemedy(t *testing.T) {
	for _, c := range []struct{ script, problem string }{
		{"keep", `1:5: a semicolon is missing behind "keep"`},
		{"keep;\nstop", `2:5: a semicolon is missing behind "stop"`},
		{"if true {\n keep;", `2:7: the block that begins in line 1 does not end; close it with }`},
		{"}", `1:1: this brace closes nothing; take it out`},
		{"keep;\n  }", `2:3: this brace closes nothing; take it out`},
		{`"x";`, `1:1: a command is expected here, but a string was found`},
		{`keep );`, `1:6: the command "keep" ends in a semicolon or has a block, but ')' was found`},
		{"/* no end", `1:1: the comment does not end; close it with */`},
		{`fileinto "a`, `1:10: the string does not end; close it with a quotation mark`},
		{"fileinto text: x\n.\n;", `1:10: behind text: the line must end; the text begins with the next one`},
		{"fileinto text:\nx\n", `1:10: the text does not end; close it with a line that holds a dot alone`},
		{"fileinto : is;", `1:10: a colon stands alone; a tag is written with its name behind it, such as :is`},
		{"size :over 99999999999999999999;", `1:12: the number is too large; the largest is 18446744073709551615`},
		{"size :over 99999999999G;", `1:12: the number is too large; the largest is 18446744073709551615`},
		{"fileinto [];", `1:11: a string is expected in the list, but ']' was found`},
		{`fileinto ["a" "b"];`, `1:15: the strings of a list are parted by commas and end with ], but a string was found`},
		{`if anyof (true; false) {}`, `1:15: the tests of a list are parted by commas and end with ), but ';' was found`},
		{`if anyof (true, ) {}`, `1:17: a test is expected here, but ')' was found`},
		{"keep @ ;", `1:6: "@" has no meaning here`},
		{"fileinto \"\x00\";", `1:10: the string holds a NUL character, which no script may`},
		{"keep;\x00", `1:6: a NUL character, which no script may hold, stands here; take it out, or save the script as UTF-8`},
		{"fileinto \"\xff\";", `1:11: the script is not UTF-8; save it as UTF-8`},
		{"keep;\n# caf\xe9\n", `2:6: the script is not UTF-8; save it as UTF-8`},
		{"\xe9@ \xe9;\n\xe9", `1:1: the script is not UTF-8; save it as UTF-8`},
		{strings.Repeat("a", 33) + ";", `1:1: the name "` + strings.Repeat("a", 33) + `" is longer than 32 characters; there is none like it`},
	} {
		_, problems := Parse([]byte(c.script), Limits{})
		if len(problems) == 0 {
			t.Errorf("%q: no problem was found", c.script)
			continue
		}
		p := problems[0]
		if got := fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Text); got != c.problem {
			t.Errorf("%q:\n got %s\nwant %s", c.script, got, c.problem)
		}
	}
}

func TestReadingGoesOnBehindAMistake(t *testing.T) {
	list, problems := Parse([]byte("keep @;\nstop;\nif [ ] { discard; }\nkeep \"x\n"), Limits{})
	lines := make([]int, 0, len(problems))
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	if len(problems) < 3 || problems[0].Line != 1 || problems[len(problems)-1].Line != 4 {
		t.Errorf("problems in the lines %v: %v", lines, problems)
	}
	if len(list) == 0 || list[0].Name != "stop" {
		t.Errorf("the command between two mistakes was not read: %+v", list)
	}
}

func TestTokensAreReadAsTheGrammarHasThem(t *testing.T) {
	text := func(s string) func(Argument) bool {
		return func(a Argument) bool { return a.Kind == Strings && !a.List && a.Texts[0].Value == s }
	}
	for _, c := range []struct {
		argument string
		is       func(Argument) bool
	}{
		{`"a\"b\\c\d"`, text(`a"b\cd`)},
		{"\"two\r\nlines\"", text("two\r\nlines")},
		{"text:\na\n..b\n.c\n.\n", text("a\r\n.b\r\nc\r\n")},
		{"text: # why\r\n a\r\n.\r\n", text(" a\r\n")},
		{"text:\n.\n", text("")},
		{`["a", "b"]`, func(a Argument) bool { return a.List && len(a.Texts) == 2 && a.Texts[1].Value == "b" }},
		{`/* a # b */ ["a" /*,*/ ] # c` + "\n", func(a Argument) bool { return a.List && len(a.Texts) == 1 }},
		{"7", func(a Argument) bool { return a.Kind == Number && a.Number == 7 }},
		{"2K", func(a Argument) bool { return a.Number == 2<<10 }},
		{"3m", func(a Argument) bool { return a.Number == 3<<20 }},
		{"4G", func(a Argument) bool { return a.Number == 4<<30 }},
		{":Over", func(a Argument) bool { return a.Kind == Tag && a.Tag == "over" }},
	} {
		list, problems := Parse([]byte("x "+c.argument+";"), Limits{})
		if len(problems) > 0 || len(list) != 1 || len(list[0].Arguments) != 1 || !c.is(list[0].Arguments[0]) {
			t.Errorf("%q: %v, %+v", c.argument, problems, list)
		}
	}
}

func TestAHostileScriptIsRefusedAndNothingOverflows(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		limits Limits
		why    string
	}{
		"its size":           {strings.Repeat(" ", 2<<20), Limits{}, "bytes"},
		"blocks":             {strings.Repeat("if true {", 100_000), Limits{}, "deep within each other"},
		"tests":              {"if " + strings.Repeat("not ", 100_000) + "true {}", Limits{}, "deep within each other"},
		"lists of tests":     {"if " + strings.Repeat("anyof(", 100_000), Limits{}, "deep within each other"},
		"commands":           {strings.Repeat("keep;", 100_000), Limits{}, "more than 10000 commands"},
		"arguments":          {"keep " + strings.Repeat("1 ", 1000) + ";", Limits{}, "more than 32 arguments"},
		"strings":            {strings.Repeat("keep ["+strings.Repeat(`"",`, 50_000)+`""];`, 2), Limits{}, "more than 50000 strings"},
		"a limit of its own": {"keep;keep;", Limits{Commands: 1}, "more than 1 commands"},
	} {
		_, problems := Parse([]byte(c.script), c.limits)
		if len(problems) == 0 || !strings.Contains(problems[0].Text, c.why) {
			t.Errorf("%s: %v", name, problems)
		}
		if len(problems) > 30 {
			t.Errorf("%s: %d problems are told", name, len(problems))
		}
	}
}
