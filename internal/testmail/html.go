package testmail

import (
	"fmt"
	"strconv"
	"strings"
)

// HTML are classes of hostile documents.
func HTML() []Class {
	return []Class{
		{"nested divs", repeated("<div>", "")},
		{"nested hidden spans", repeated("<span style='display:none'>", "x")},
		{"unclosed fonts in paragraphs", repeated("<p><font color=red>", "x")},
		{"closed and unclosed formatting", repeated("<p><b><i><u></p>", "x")},
		{"end tags of what is far above", func(n int) string {
			return "<div><blockquote>" + strings.Repeat("<span>", 100) + strings.Repeat("</div>", n/6)
		}},
		{"end tags of what is beyond a cell", func(n int) string {
			return "<div><table><td>" + strings.Repeat("<span>", 60) + strings.Repeat("</div>", n/6)
		}},
		{"end tags of nothing", repeated("</b></div></xyz>", "")},
		{"table rows", repeated("<tr><td>", "")},
		{"nested tables", repeated("<table><tr><td>", "")},
		{"list items", repeated("<li><b>", "")},
		{"one giant attribute", func(n int) string { return "<b title='" + strings.Repeat("x", n) + "'>y" }},
		{"one giant attribute without quotes", func(n int) string { return "<b title=" + strings.Repeat("x", n) + ">y" }},
		{"one giant attribute's name", func(n int) string { return "<b " + strings.Repeat("x", n) + ">y" }},
		{"one giant tag's name", func(n int) string { return "<" + strings.Repeat("x", n) + ">y" }},
		{"one giant style", func(n int) string { return "<b style='" + strings.Repeat("color:red;", n/10) + "'>y" }},
		{"one giant address", func(n int) string { return "<a href='http://" + strings.Repeat("x", n) + "'>y" }},
		{"a tag with many attributes", func(n int) string { return "<b " + strings.Repeat("style=x ", n/8) + ">y" }},
		{"styles", repeated("<b style='color:#fff;font:0/0 a;display:none;background:url(x)'></b>", "")},
		{"comments", repeated("<!---->", "")},
		{"comments that look closed", func(n int) string { return "<!--" + strings.Repeat("-->"[:2]+" ", n/3) }},
		{"dashes", func(n int) string { return "<!--" + strings.Repeat("-", n) }},
		{"unclosed comments", repeated("<!--", "")},
		{"unclosed tags", repeated("<a ", "")},
		{"less-than signs", repeated("<", "")},
		{"entities", repeated("&amp;", "")},
		{"unended entities", repeated("&ampx", "")},
		{"numeric entities", repeated("&#x41;", "")},
		{"rare entities", repeated("&CounterClockwiseContourIntegral;", "")},
		{"long digits", func(n int) string { return "&#" + strings.Repeat("9", n) }},
		{"ampersands", repeated("&", "")},
		{"zero-width characters", repeated("\u200b", "")},
		{"control characters", repeated("\x01", "")},
		{"style sheets", repeated("<style>.a{color:red}</style>", "")},
		{"classes", func(n int) string {
			var b strings.Builder
			b.WriteString("<style>")
			for i := range 300 {
				fmt.Fprintf(&b, ".c%d{color:red}", i)
			}
			b.WriteString("</style>")
			b.WriteString(strings.Repeat("<b class='c1 c2 c3 c4 c5 c6 c7 c8 c9'>", n/38))
			return b.String()
		}},
		{"unended style sheet", func(n int) string { return "<style>" + strings.Repeat("a{", n/2) }},
		{"unended script", func(n int) string { return "<script>" + strings.Repeat("</scrip", n/7) }},
		{"links", func(n int) string {
			var b strings.Builder
			for i := 0; b.Len() < n; i++ {
				b.WriteString("<a href=http://h" + strconv.Itoa(i) + ".example/>x</a>")
			}
			return b.String()
		}},
		{"images", repeated("<img src=x width=1 height=1>", "")},
		{"addresses in styles", repeated("<b style='background:url(a);background:url(b);background:url(c)'></b>", "")},
	}
}

func repeated(piece, end string) func(int) string {
	return func(n int) string { return strings.Repeat(piece, n/len(piece)) + end }
}
