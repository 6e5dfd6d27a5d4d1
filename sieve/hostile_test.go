package sieve

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/sieve/grammar"
)

// attack is a script that does little with much, or much with little, and the message that it is for.
type attack struct {
	name, require, script, mail string
	ends                        ending
}

// ending is what an attack comes to.
type ending uint8

const (
	isRefused    ending = iota // by the compiler
	runsOut                    // of its budget
	comesThrough               // because it costs little, whatever it looks like
)

func repeated(n int, line string) string { return strings.Repeat(line+"\n", n) }

const (
	variablesAnd = `"variables", `
	numeric      = `"relational", "comparator-i;ascii-numeric"`
)

// attacks are those of the usual kinds.
func attacks() []attack {
	wide := "To: " + strings.Repeat("a@example.com, ", 900) + "b@example.com\r\nSubject: x\r\nX-Long: " + strings.Repeat("a", 50_000) + "\r\nX-Mid: " + strings.Repeat("a", 500) + "\r\nX-Uml: " +
		strings.Repeat("Ä", 20_000) + "\r\nX-Words: " + strings.Repeat("=?gb18030?q?a?= ", 3000) + "\r\nX-Dates: " + strings.Repeat("(", 20_000) + "\r\n" +
		"Date: Sat, 28 Feb 2026 23:30:05 -0500\r\n" + strings.Repeat("X-More: 1\r\n", 3000) + "\r\nText\r\n"
	list := attacksOnTheCompiler()
	list = append(list, attacksOnTheHeader(wide)...)
	list = append(list, attacksOnTheBody()...)
	return append(list, attacksOnTheParts()...)
}

func attacksOnTheCompiler() []attack {
	return []attack{
		{"deep blocks", `"copy"`, strings.Repeat("if true {", 100_000), "", isRefused},
		{"deep tests", `"copy"`, "if " + strings.Repeat("not ", 100_000) + "true {}", "", isRefused},
		{"deep lists of tests", `"copy"`, "if " + strings.Repeat("anyof(", 100_000), "", isRefused},
		{"deep loops", `"foreverypart"`, strings.Repeat("foreverypart {", 10_000), "", isRefused},
		{"100,000 commands", `"copy"`, repeated(100_000, "keep;"), "", isRefused},
		{"100,000 mistakes", `"copy"`, repeated(9_000, "kep;"), "", isRefused},
		{"100,000 strings", `"copy"`, "if header \"a\" [" + strings.Repeat("\"\",", 100_000) + "\"\"] {}", "", isRefused},
		{"100,000 requirements", strings.Repeat("\"copy\",", 100_000) + `"copy"`, "", "", isRefused},
		{"a text without end", `"copy"`, "keep; /*" + strings.Repeat("*", 1<<20-100), "", isRefused},
		{"a script that is too long", `"copy"`, strings.Repeat(" ", 1<<20), "", isRefused},
		{"counts of counts", `"regex"`, `if header :regex "a" "((a{1,100}){1,100}){1,100}" {}`, "", isRefused},
		{"a large count", `"regex"`, `if header :regex "a" "(abcdefghijklmnopqrstuvwxyz){1000}" {}`, "", isRefused},
		{"many counts", `"regex"`, repeated(1000, `if header :regex "a" "(a|b|c|d){250}" {}`), "", isRefused},
		{"many wildcards", `"copy"`, repeated(1000, `if header :matches "a" "`+strings.Repeat("*?", 400)+`" {}`), "", isRefused},
		{"a pattern of wildcards", `"copy"`, `if header :matches "a" "` + strings.Repeat("?", 100_000) + `" {}`, "", isRefused},
		{"variables", variablesAnd + `"copy"`, many(1000, func(i int) string { return fmt.Sprintf("set \"v%d\" \"x\";\n", i) }), "", isRefused},
		{"a break to nowhere", `"foreverypart"`, repeated(5000, "break;"), "", isRefused},
	}
}

func many(n int, line func(int) string) string {
	var out strings.Builder
	for i := range n {
		out.WriteString(line(i))
	}
	return out.String()
}

func attacksOnTheHeader(mail string) []attack {
	long := strings.Repeat("a", 4000)
	return []attack{
		{"many tests of a long field", `"copy"`, repeated(1_000, `if header :contains "x-long" [`+strings.Repeat(`"qq", `, 40)+`"q"] { stop; }`), mail, runsOut},
		{"long keys", `"copy"`, repeated(200, `if header :contains "x-long" ["`+long+`b", "b"] { stop; }`), mail, comesThrough},
		{"wildcards by the dozen", `"copy"`, repeated(200, `if header :matches "x-long" "`+strings.Repeat("*a?b", 60)+`*" { stop; }`), mail, runsOut},
		{"wildcards that nearly fit everywhere", `"copy"`, repeated(400, `if header :matches "x-long" "*`+strings.Repeat("a", 2000)+`?c*" { stop; }`), mail, runsOut},
		{"a star and questions", `"copy"`, repeated(60, `if header :matches "x-long" "*`+strings.Repeat("?", 900)+`b*" { stop; }`), mail, runsOut},
		{"a text of questions", variablesAnd + `"copy"`, "set \"q\" \"" + strings.Repeat("?", 900) + "\";\n" + repeated(3000, `if header :matches "subject" "${q}" { stop; }`), mail, runsOut},
		{"regular expressions that others go back in", `"regex"`, repeated(500, `if header :regex "x-long" "^(a+)+(a|aa)+([a-z]*)*$b" { stop; }`), mail, runsOut},
		{"regular expressions with groups", variablesAnd + `"regex"`, repeated(200, `if header :regex "x-mid" "`+strings.Repeat("(a*)", 32)+`b" { stop; }`), mail, runsOut},
		{"regular expressions with counted groups", variablesAnd + `"regex"`, repeated(10, `if header :regex "x-mid" "`+strings.Repeat("(a?){20}", 30)+`b" { stop; }`), mail, runsOut},
		{"regular expressions with many alternatives", `"regex"`, repeated(100, `if header :regex "x-mid" "`+strings.Repeat("(a|b)*|", 400)+`b" { stop; }`), mail, isRefused},
		{"regular expressions with alternatives", `"regex"`, repeated(100, `if header :regex "x-mid" "`+strings.Repeat("(a|b)*|", 40)+`b" { stop; }`), mail, comesThrough},
		{"regular expressions that count", `"regex"`, repeated(8, `if header :regex "x-mid" "(a|aa){400}b" { stop; }`), mail, runsOut},
		{"regular expressions of wide ranges", variablesAnd + `"regex"`, "set \"e\" \"[B-\U0001e942]\";\n" + repeated(3_000, `if header :regex "subject" "${e}q" { stop; }`), mail, runsOut},
		{"regular expressions of very wide ranges", `"regex"`, `if header :regex "subject" "` + strings.Repeat("[B-\U0001e942]", 100) + `" { stop; }`, mail, isRefused},
		{"regular expressions of wide ranges, written otherwise", variablesAnd + `"regex"`, "set \"e\" \"[[:alpha:]B-\\\\x{1e942}]\";\n" + repeated(3_000, `if header :regex "subject" "${e}q" { stop; }`), mail, runsOut},
		{"regular expressions made of variables", variablesAnd + `"regex"`, "set \"e\" \"(a|b|ab){50}\";\n" + repeated(3_000, `if header :regex "subject" "${e}${e}c" { stop; }`), mail, runsOut},
		{"regular expressions of many kinds of letters", variablesAnd + `"regex"`, "set \"e\" \"[^a]\";\n" + repeated(3_000, `if header :regex "subject" "${e}[[:alpha:]]{20}[^[:punct:]]{9}" { stop; }`), mail, runsOut},
		{"a matched text matched again", variablesAnd + `"copy"`, repeated(3_000, `if header :matches "x-long" "*" { set "a" "${1}${1}${1}"; }`), mail, runsOut},
		{"doubling", variablesAnd + `"copy"`, `set "a" "` + long + `";` + repeated(9_000, `set :quotewildcard :upper "a" "${a}${a}";`), mail, runsOut},
		{"doubling in many variables", variablesAnd + `"copy"`, `set "a" "` + long + `${a}";` + many(250, func(i int) string { return fmt.Sprintf("set \"v%d\" \"${a}${a}${a}${a}${a}\";\n", i) }), mail, comesThrough},
		{"comparisons with long variables", variablesAnd + `"copy"`, `set "a" "` + long + `";` + repeated(2_000, `if string ["${a}${a}${a}${a}", "${a}"] ["${a}${a}", "${a}b"] { stop; }`), mail, runsOut},
		{"unicode folding", `"comparator-i;unicode-casemap"`, repeated(3_000, `if header :contains :comparator "i;unicode-casemap" "x-uml" "q" { stop; }`), mail, runsOut},
		{"fields that are not there", `"copy"`, repeated(3_000, `if exists ["x1", "x2", "x3", "x4", "x5", "x6"] { stop; }`), mail, comesThrough},
		{"thousands of fields", `"copy"`, repeated(3_000, `if header "x-more" ["2", "3"] { stop; }`), mail, runsOut},
		{"thousands of fields, counted", numeric, repeated(3_000, `if header :count "gt" :comparator "i;ascii-numeric" "x-more" "9000" { stop; }`), mail, runsOut},
		{"addresses", `"copy"`, repeated(3_000, `if address :contains ["to", "cc"] "q" { stop; }`), mail, runsOut},
		{"thousands of keys", `"copy"`, repeated(40, `if header ["subject", "x-more"] [`+strings.Repeat(`"some key", `, 1000)+`"q"] { stop; }`), mail, runsOut},
		{"thousands of keys made of variables", variablesAnd + `"copy"`, `set "v" "` + long + `";` + repeated(40, `if header "subject" [`+strings.Repeat(`"${v}", `, 1000)+`"q"] { stop; }`), mail, runsOut},
		{"counts", numeric, repeated(40, `if header :count "gt" :comparator "i;ascii-numeric" "subject" [`+strings.Repeat(`"10000000000", `, 1000)+`"9"] { stop; }`), mail, comesThrough},
		{"dates", `"date", "relational"`, repeated(1_600, `if date :value "gt" "date" "std11" "Z" { stop; } if currentdate "iso8601" "x" { stop; }`), mail, comesThrough},
		{"dates that are none", `"date"`, repeated(3_000, `if date "x-dates" "year" "x" { stop; }`), mail, runsOut},
		{"dates of thousands of fields", `"date"`, repeated(9_000, `if date ["x-more"] "year" "x" { stop; }`), mail, isRefused},
		{"dates of fields that are many", `"date"`, repeated(3_000, `if date "x-more" "year" "x" { stop; }`), mail, runsOut},
		{"encoded-words", `"copy"`, repeated(3_000, `if header "x-words" "x" { stop; }`), mail, comesThrough},
		{"header edits", `"editheader"`, repeated(4_500, "addheader \"X-New\" \"v\"; deleteheader \"x-more\" \"q\";"), mail, runsOut},
		{"header edits that grow", `"editheader"`, repeated(5_000, `addheader "X-New" "`+strings.Repeat("v ", 50)+`";`), mail, runsOut},
		{"header edits that are undone", `"editheader"`, repeated(1_900, "addheader \"X-New\" \"v\"; deleteheader :index 1 \"x-new\"; if exists \"x-1\" { stop; }"), mail, runsOut},
		{"header edits between actions", `"editheader", "fileinto", "copy"`, many(30, func(i int) string {
			return fmt.Sprintf("addheader \"X-New\" \"v\"; fileinto :copy \"m%d\";\n", i)
		}), mail + strings.Repeat("x", 10), comesThrough},
		{"actions", `"fileinto", "copy"`, many(3_000, func(i int) string { return fmt.Sprintf("fileinto :copy \"m%d\";\n", i) }), mail, runsOut},
		{"redirects", `"copy"`, many(3_000, func(i int) string { return fmt.Sprintf("redirect :copy \"m%d@example.net\";\n", i) }), mail, runsOut},
	}
}

func attacksOnTheBody() []attack {
	const size = 8 << 20
	text := "Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("a", 76)+"\r\n", size/78)
	html := "Content-Type: text/html\r\n\r\n" + strings.Repeat("<p style=\"color:#fff\">&#97;<a href=x>b</a>", size/42)
	base64 := "Content-Type: text/plain; charset=gb18030\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat(strings.Repeat("gYGB", 19)+"\r\n", size/78)
	quoted := "Content-Type: text/plain; charset=iso-2022-jp\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat(strings.Repeat("=1B$B=41=41=1B(B", 4)+"=\r\n", size/70)
	const test = `"body", "regex", "variables", "comparator-i;unicode-casemap"`
	return []attack{
		{"a huge body, searched", test, repeated(3_000, `if body :raw :contains "q" { stop; }`), text, runsOut},
		{"a huge body, fitted", test, repeated(3_000, `if body :raw :matches "*a?a?b*" { stop; }`), text, runsOut},
		{"a huge body, expressed", test, repeated(3_000, `if body :raw :regex "b$" { stop; }`), text, runsOut},
		{"a huge body, folded", test, repeated(3_000, `if body :comparator "i;unicode-casemap" :contains "q" { stop; }`), text, runsOut},
		{"a huge page", test, repeated(3_000, `if body :contains "q" { stop; }`), html, runsOut},
		{"a huge text in Chinese", test, repeated(3_000, `if body :content "text" :contains "q" { stop; }`), base64, runsOut},
		{"a huge text in Japanese", test, repeated(3_000, `if body :contains "q" { stop; }`), quoted, runsOut},
	}
}

func attacksOnTheParts() []attack {
	flat := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Type: text/plain; name=\"x\"\r\n\r\nText\r\n", 5000) + "--b--\r\n"
	var deep strings.Builder
	for i := range 90 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	deep.WriteString("\r\nText\r\n")
	heavy := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"+strings.Repeat("QUJD", 4000)+"\r\n", 500) + "--b--\r\n"
	const test = `"mime", "foreverypart", "extracttext", "variables", "body", ` + numeric
	return []attack{
		{"thousands of parts", test, repeated(3_000, `if header :mime :anychild :contains "content-type" "q" { stop; }`), flat, runsOut},
		{"thousands of parts, by their types", test, repeated(3_000, `if header :mime :anychild :param ["x", "name"] "content-type" "q" { stop; }`), flat, runsOut},
		{"thousands of parts, counted", test, repeated(3_000, `if header :mime :anychild :count "gt" :comparator "i;ascii-numeric" "content-type" "90000" { stop; }`), flat, runsOut},
		{"thousands of parts, one after the other", test, repeated(2_000, `foreverypart { if exists :mime "x" { stop; } }`), flat, runsOut},
		{"thousands of texts", test, repeated(3_000, `foreverypart { extracttext :upper "a"; }`), flat, runsOut},
		{"thousands of bodies", test, repeated(3_000, `if body :content "" :contains "q" { stop; }`), flat, runsOut},
		{"loops in loops", test, strings.Repeat("foreverypart { ", 25) + "keep;" + strings.Repeat(" }", 25), deep.String(), runsOut},
		{"parts with all of their parts", test, repeated(400, `foreverypart { if header :mime :anychild "x" "y" { stop; } }`), deep.String(), runsOut},
		{"heavy parts", test, repeated(400, `if body :content "" :contains "q" { stop; }`), heavy, runsOut},
	}
}

// maxAllocated is what compiling a script, and what running it, may allocate in all, whether it is used to the end or not.
const maxAllocated = 32 << 20

func TestAHostileScriptIsRefusedOrEndsWithinItsBudget(t *testing.T) {
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			var s *Script
			var err error
			if n := allocated(func() { s, err = a.compile() }); n > maxAllocated {
				t.Errorf("compiling it allocates %d bytes", n)
			}
			var problems Problems
			if err != nil {
				if !errors.As(err, &problems) || a.ends != isRefused {
					t.Errorf("it is refused: %v", err)
				}
				return
			}
			if a.ends == isRefused {
				t.Fatal("it is not refused")
			}
			j := jobFor(t, a.mail)
			var o Outcome
			if n := allocated(func() { o = s.Run(context.Background(), j) }); n > maxAllocated {
				t.Errorf("running it allocates %d bytes", n)
			}
			checkCost(t, a, o)
		})
	}
}

// checkCost holds an outcome to the budget.
func checkCost(t *testing.T, a attack, o Outcome) {
	t.Helper()
	limit := Budget{}.orDefaults()
	if o.Cost.Steps > limit.Steps+1 || o.Cost.Memory > limit.Memory+1<<20 {
		t.Errorf("it cost %+v", o.Cost)
	}
	if out := errors.Is(o.Err, ErrBudget); out != (a.ends == runsOut) || !out && o.Err != nil {
		t.Errorf("it ends with %v, %+v", o.Err, o.Cost)
	}
	if !o.ImplicitKeep && done(o) != string(Keep) {
		t.Error("the message is not kept")
	}
}

func (a attack) compile() (*Script, error) {
	return Compile([]byte("require ["+a.require+"];\n"+a.script), Options{Limits: grammar.Limits{}})
}

// allocated is how many bytes a function allocates.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// BenchmarkHostile tells what each attack costs: processor time of compiling and of running it, in milliseconds.
func BenchmarkHostile(b *testing.B) {
	for _, a := range attacks() {
		b.Run(strings.ReplaceAll(a.name, " ", "-"), func(b *testing.B) {
			var compiling, running time.Duration
			var j Job
			if a.ends != isRefused {
				j = jobFor(b, a.mail)
			}
			steps := 0
			for b.Loop() {
				t0 := processorTime(b)
				s, err := a.compile()
				t1 := processorTime(b)
				compiling += t1 - t0
				if err != nil {
					continue
				}
				steps = s.Run(context.Background(), j).Cost.Steps
				running += processorTime(b) - t1
			}
			b.ReportMetric(float64(compiling.Microseconds())/1000/float64(b.N), "compile-ms/op")
			b.ReportMetric(float64(running.Microseconds())/1000/float64(b.N), "run-ms/op")
			b.ReportMetric(float64(steps), "steps")
			b.ReportAllocs()
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
