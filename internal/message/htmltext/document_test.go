package htmltext

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"postern/internal/testmail"
)

func scan(t testing.TB, text string) *Document {
	t.Helper()
	d := new(Document)
	if err := d.Scan(strings.NewReader(text), Limits{}); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestVisibleTextIsWhatAReaderSees(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		"plain  text\r\n\tand more ":     "plain text and more",
		"<p>one</p><p>two":               "one\ntwo",
		"a<br>b<hr/>c":                   "a\nb\nc",
		"<b>bo</b>ld <i> and\n</i>\nso":  "bold and so",
		"V<!-- x -->ia<xyz>gra":          "Viagra",
		"V&#8203;i&shy;a\u200bg\u00adra": "Viagra",
		"a&nbsp;&nbsp;b\u00a0c":          "a b c",
		"<td>a</td><td>b</td>":           "a b",
		"x < y & z &bogus; &amp;lt; &#x41;&#66;&#128;":                            "x < y & z &bogus; &lt; AB€",
		"&lt&gt&eacute;&eacutex &notin; &NotLessEqual;":                           "<>éé" + "x ∉ ≰",
		"<script>no()</script>a<style>p{x:y}</style>b<!doctype html>c<?php x ?>d": "abcd",
		"<script>if (a</b && '</scr')</script >after":                             "after",
		"<title>T &amp; t</title>body":                                            "body",
		"<textarea><b>as it is</b></textarea>":                                    "<b>as it is</b>",
		"<xmp><b></xmp>x":                                                         "<b>\nx",
		"a<!-->b<!--->c<!-- -- > --!>d":                                           "abcd",
		"a<!-- never closed":                                                      "a",
		"a<b href='x":                                                             "a",
		"</>a</ b>b":                                                              "ab",
		"<":                                                                       "<",
		"a<":                                                                      "a<",
		"&":                                                                       "&",
		"&#;&#x;&#xg;&#99999999999;&#0;":                                          "&#;&#x;&#xg;\ufffd\ufffd",
		"a\x00b\x01c":                                                             "abc",
		"日本　語":                                                                    "日本 語",
		"<iframe>old <b>browsers</b></iframe>x":                                   "x",
		"<plaintext><b>x":                                                         "<b>x",
		"\xff\xfe<b>\xe3\x81":                                                     "\xff\xfe\xe3\x81",
	} {
		d := scan(t, in)
		if got := string(d.Visible); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if len(d.Hidden) > 0 {
			t.Errorf("%q: hidden %q", in, d.Hidden)
		}
	}
}

func TestHiddenTextIsTold(t *testing.T) {
	for in, ways := range map[string]Hiding{
		`<div style="display:none">H</div>`:                                           NotDisplayed,
		`<DIV STYLE='Color:Red; DISPLAY : None !important'><p>H</DIV>`:                NotDisplayed,
		`<div style="display:/**/none">H</div>`:                                       NotDisplayed,
		`<div style="background:url(data:x;y);display:none">H</div>`:                  NotDisplayed,
		`<div hidden>H</div>`:                                                         NotDisplayed,
		`<template>H</template>`:                                                      NotDisplayed,
		`<span style="mso-hide:all">H</span>`:                                         NotDisplayed,
		`<span style="visibility:hidden">H</span>`:                                    NotVisible,
		`<span style="font-size:0">H</span>`:                                          TinyFont,
		`<span style="font-size:1px"><b>H</b></span>`:                                 TinyFont,
		`<span style="font-size:.5pt">H</span>`:                                       TinyFont,
		`<span style="font:0/0 a">H</span>`:                                           TinyFont,
		`<span style="font:italic 1px serif">H</span>`:                                TinyFont,
		`<span style="font-size:0px"><i style="font-size:80%">H</i></span>`:           TinyFont,
		`<font color="#ffffff">H</font>`:                                              SameColour,
		`<font color=white>H</font>`:                                                  SameColour,
		`<font color=fefefe>H</font>`:                                                 SameColour,
		`<span style="color:#FFF">H</span>`:                                           SameColour,
		`<span style="color:rgb(250, 250,250)">H</span>`:                              SameColour,
		`<span style="color:transparent">H</span>`:                                    Transparent,
		`<span style="color:rgba(0,0,0,0.0)">H</span>`:                                Transparent,
		`<span style="opacity:0">H</span>`:                                            Transparent,
		`<table bgcolor=#123456><tr><td><font color=#123457>H</font></table>`:         SameColour,
		`<div style="background:#000"><p style="color:#010101">H</p></div>`:           SameColour,
		`<div style="height:0;overflow:hidden">H</div>`:                               EmptyBox,
		`<div style="max-height:0px;overflow:hidden">H</div>`:                         EmptyBox,
		`<div style="text-indent:-9999px">H</div>`:                                    OffScreen,
		`<div style="position:absolute;left:-5000px">H</div>`:                         OffScreen,
		`<style>.x, p.y {display:none}</style><i class="a x">H</i>`:                   NotDisplayed,
		`<style>@media x{.x{color:red}} /* c */ #z{font-size:0}</style><b id=z>H</b>`: TinyFont,
		`<style>b{color:white}</style><b>H</b>`:                                       SameColour,
		`<x-y style="display:none">H</x-y>`:                                           NotDisplayed,
	} {
		d := scan(t, "before "+in+" behind")
		if got := strings.ReplaceAll(string(d.Visible), "\n", " "); got != "before behind" || string(d.Hidden) != "H" || d.Ways != ways || d.HiddenRuns != 1 {
			t.Errorf("%s: visible %q, hidden %q, ways %b, %d runs", in, d.Visible, d.Hidden, d.Ways, d.HiddenRuns)
		}
	}
}

func TestVisibleTextIsNotTakenForHidden(t *testing.T) {
	for _, in := range []string{
		`<div style="color:white;background:#336699">V</div>`,
		`<body bgcolor=black text=white>V`,
		`<td background="stars.png"><font color=white>V</font></td>`,
		`<td style="background-image:url(x.png)"><font color=white>V</font></td>`,
		`<div style="font-size:0"><span style="font-size:14px">V</span></div>`,
		`<div style="visibility:hidden"><b style="visibility:visible">V</b></div>`,
		`<div style="display:none"></div>V`,
		`<p style="display:none"><p>V`,
		`<ul><li style="display:none"><li>V</ul>`,
		`<table><tr><td style="display:none"><td>V</table>`,
		`<table><tr style="display:none"><td><tr><td>V</table>`,
		`<table><tr><td style="display:none"></tr><tr><td>V</table>`,
		`<div style="display:none"><table><tr><td></div></table></div>V`,
		`<style>@media print{.x{display:none}}</style><b class=x>V</b>`,
		`<style>.x .y{display:none}</style><b class=x>V</b>`,
		`<style>.x{display:none}</style><b class=x style="display:inline">V</b>`,
		`<div style="opacity:0.9;font-size:100%;max-height:0">V</div>`,
		`<div style="height:1px">V</div>`,
		`<td bgcolor="#fff"><a href=x style="">V</a></td>`,
		`<div style="margin:0 auto;text-indent:-1em">V</div>`,
		`<font size=1 color=red>V</font>`,
		`<div style="color">V</div><div style=";;:;">`,
	} {
		d := scan(t, in)
		if string(d.Visible) != "V" || len(d.Hidden) > 0 {
			t.Errorf("%s: visible %q, hidden %q (%b)", in, d.Visible, d.Hidden, d.Ways)
		}
	}
}

func TestLinksHaveTheirTexts(t *testing.T) {
	d := scan(t, `<base href="http://b.example/"><p>Look <a HREF = " http://e.example/?a=1&amp;b=2&copy=3
"> <b>here</b> <img src=x.gif alt="An &quot;x&quot;" width=1 height="1px"></a> or <a href=rel>there
<form action='/go'><input type=password><input type=hidden><input type=image src=i.png><button formaction=//f>x</button></form>
<span style="display:none"><a href=mailto:h@h>hid</a></span><iframe src=f></iframe><script src=s></script>
<link rel=stylesheet href=c><link rel=icon href=no><meta http-equiv=Refresh content="0; URL='http://r/'">
<td background=bg style="background:url('css.png')"><area href=area><object data=o></object><img src="">`)
	type link struct {
		kind      LinkKind
		url, text string
		hidden    Hiding
	}
	want := []link{
		{Base, "http://b.example/", "", 0},
		{Anchor, "http://e.example/?a=1&b=2&copy=3", "here", 0},
		{Image, "x.gif", `An "x"`, 0},
		{Anchor, "rel", "there\nx", 0},
		{Form, "/go", "", 0},
		{Image, "i.png", "", 0},
		{Form, "//f", "", 0},
		{Anchor, "mailto:h@h", "", NotDisplayed},
		{Frame, "f", "", 0},
		{Script, "s", "", 0},
		{Sheet, "c", "", 0},
		{Refresh, "http://r/", "", 0},
		{Image, "css.png", "", 0},
		{Image, "bg", "", 0},
		{Anchor, "area", "", 0},
		{Frame, "o", "", 0},
	}
	if len(d.Links) != len(want) {
		t.Errorf("%d links, want %d", len(d.Links), len(want))
	}
	for i := range min(len(want), len(d.Links)) {
		l := d.Links[i]
		if got := (link{l.Kind, string(l.URL), string(l.Text), l.Hidden}); got != want[i] {
			t.Errorf("link %d: %+v, want %+v", i, got, want[i])
		}
	}
	if !d.Links[2].Pixel() || d.Pixels != 1 || d.Links[5].Pixel() {
		t.Errorf("pixels: %+v", d.Links)
	}
	if d.Forms != 1 || d.Passwords != 1 || d.Inputs != 2 || d.Frames != 2 || d.Scripts != 1 || d.Images != 2 || d.Anchors != 4 || d.RelativeLinks != 2 {
		t.Errorf("%+v", d.Counts)
	}
}

func TestTricksAreCounted(t *testing.T) {
	d := scan(t, "fr<!-- x -->ee <zzz>x</zzz> vi<qq></qq>agra<o:p></o:p> &#102;&#x72;ee m\u200bm \x00"+
		"<b onclick=x()></b><table><table><table></table></table></table><!-- y -->")
	want := Counts{Size: d.Size, Tags: 7, InvalidTags: 2, Handlers: 1, Comments: 2, CommentBytes: 12, Depth: 3, TableDepth: 3,
		BrokenWords: 2, CodedLetters: 2, ZeroWidth: 1, ControlBytes: 1}
	if d.Counts != want {
		t.Errorf("%+v, want\n%+v", d.Counts, want)
	}
}

func TestLimitsCutAndSaySo(t *testing.T) {
	text := strings.Repeat(`<a href="http://example.com/long">words and words</a><i style="display:none">hidden</i>`, 100)
	for _, lim := range []Limits{{Input: 100}, {Visible: 10}, {Hidden: 10}, {Links: 3}, {URLs: 50}} {
		var d Document
		if err := d.Scan(strings.NewReader(text), lim); err != nil {
			t.Fatal(err)
		}
		lim = lim.fill()
		if !d.Truncated || len(d.Visible) > lim.Visible || len(d.Hidden) > lim.Hidden || len(d.Links) > lim.Links || d.Size > lim.Input {
			t.Errorf("%+v: %d, %d, %d, %d, %v", lim, len(d.Visible), len(d.Hidden), len(d.Links), d.Size, d.Truncated)
		}
		if lim.Input == DefaultLimits.Input && d.Counts.Links != 100 {
			t.Errorf("%+v: %d links counted", lim, d.Counts.Links)
		}
	}
	var d Document
	if err := d.Scan(strings.NewReader("<a href=0123456789>x"), Limits{URL: 5}); err != nil || string(d.Links[0].URL) != "01234" {
		t.Errorf("%v %q", err, d.Links[0].URL)
	}
	if err := d.Scan(strings.NewReader("exact"), Limits{Input: 5}); err != nil || d.Truncated {
		t.Errorf("%v, truncated %v", err, d.Truncated)
	}
}

func TestAReadersErrorIsGiven(t *testing.T) {
	var d Document
	err := d.Scan(io.MultiReader(strings.NewReader("<b>x"), iotest.ErrReader(io.ErrClosedPipe)), Limits{})
	if err != io.ErrClosedPipe || string(d.Visible) != "x" {
		t.Errorf("%v, %q", err, d.Visible)
	}
	if err := d.Scan(stuck{}, Limits{}); err != io.ErrNoProgress {
		t.Errorf("%v", err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// newsletter is HTML as mail has it.
var newsletter = `<!DOCTYPE html><html><head><meta charset="utf-8"><title>News</title><style>
.pre { display:none !important; max-height:0 } td { font-family: Arial, sans-serif; } a:hover { color: #123 }
@media only screen and (max-width:600px) { .col { width:100% !important; } }
</style></head><body style="margin:0;padding:0;background-color:#f4f4f4"><div class="pre">What is new this week</div>
<table width="100%" cellpadding="0" cellspacing="0" border="0" bgcolor="#f4f4f4">` + strings.Repeat(`
<tr><td align="center" valign="top" style="padding:10px 20px;font-size:14px;line-height:20px;color:#333333">
<!--[if mso]><table><tr><td><![endif]-->
<p>Here is a line of text as people write them, with <b>bold</b> words &amp; a <a href="https://news.example/item?id=1&amp;u=2"
style="color:#0066cc;text-decoration:underline">link to something</a> that goes on for a while, so that there are more words
than tags: letters of news are like that, mostly&nbsp;– though not always. Caf&eacute; ol&eacute;.</p>
<img src="https://img.example/a.png" width="200" height="100" alt="A picture" style="display:block;border:0"></td></tr>`, 100) + `
</table><img src="https://t.example/o.gif" width="1" height="1"></body></html>`

func TestAScannedDocumentAllocatesNothingMore(t *testing.T) {
	var d Document
	r := strings.NewReader(newsletter)
	scan := func() {
		r.Reset(newsletter)
		if err := d.Scan(r, Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(5, scan); n > 2 {
		t.Errorf("%v allocations", n)
	}
	if d.Pixels != 1 || d.Anchors != 100 || d.Images != 101 || string(d.Hidden) != "What is new this week" || string(d.Title) != "News" {
		t.Errorf("%+v, hidden %q, title %q", d.Counts, d.Hidden, d.Title)
	}
}

func TestItDoesNotMatterHowTheBytesCome(t *testing.T) {
	texts := []string{newsletter[:6000], testmail.HTML()[0].Text(2000), "a&#x1F600;<b title='&lt;'>\u200b<!-- - -- -->x"}
	for _, n := range newsletters(4) {
		texts = append(texts, string(n[:6000]))
	}
	for _, text := range texts {
		compareInPieces(t, text)
	}
}

// compareInPieces scans a document that comes byte by byte, so that no tag and no text is in the window as a whole, and as
// it is.
func compareInPieces(t *testing.T, text string) {
	t.Helper()
	a, b := scan(t, text), new(Document)
	if err := b.Scan(iotest.OneByteReader(strings.NewReader(text)), Limits{}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Visible, b.Visible) || !bytes.Equal(a.Hidden, b.Hidden) || !bytes.Equal(a.Title, b.Title) || a.Counts != b.Counts || a.Ways != b.Ways {
		t.Fatalf("%q: %+v\n%+v\n%q\n%q", text, a.Counts, b.Counts, a.Visible, b.Visible)
	}
	same := func(k, l Link) bool {
		return k.Kind == l.Kind && bytes.Equal(k.URL, l.URL) && bytes.Equal(k.Text, l.Text) && k.Hidden == l.Hidden && k.Width == l.Width && k.Height == l.Height
	}
	if !slices.EqualFunc(a.Links, b.Links, same) {
		t.Fatalf("%q: %+v\n%+v", text, a.Links, b.Links)
	}
}

func TestTagsAreReadAlikeInOneGoAndInPieces(t *testing.T) {
	const behind = ">inside</b></i> and text behind it, so that the window does not end"
	for _, tag := range []string{
		"<b", "<B ", "<b/", "<b\x00", "<b\x00 hidden", "<blockquote", "<figcaption", "<sixteen-letters-", "<sixteen-letters-and-more", "<o:p", "<h1", "<x1",
		"<b hidden", "<b HIDDEN", "<b hidden\x00", "<b =hidden", "<b hidden=", "<b hidden= ", "<b hidden/", "<b / hidden", "<b 'hidden", "<b \xffhidden",
		"<b style=font-size:0", "<b style = 'font-size:0'", "<b style\n=\n\"font-size:0\"", "<b style='' style='font-size:0'", "<b STYLE='font-size:0'class=x",
		"<b cellspacing=1 cellpadding='2' style='display:none'", "<b xlink:href=x formaction=y background=z", "<b http-equivalent-of-all=1 hidden",
		"<b onclick=x() ONLOAD='y' on=z one", "<b title='a > b' hidden", "<b title=\"it's\" hidden", "<b title='long enough to need a search' hidden",
		"<img width=1 height='1' src=a.gif alt='an &lt;image&gt;'", "<img src=' a.gif ' src=b.gif", "<a href='http://a.example/?x=1&amp;y=2'", "<a href", "<a href=",
		"<font color=#fff", "<font color='white' color=red", "<td bgcolor=#ffffff background=x.png", "<input type=password type=hidden", "<body text=#ffffff",
		"<style>.x{display:none}#y{font-size:0}b{color:red}</style><b class='z x'", "<style>.x{display:none}</style><b id=y CLASS=x", "<br class=x", "<br style='background:url(x.png)'",
		"<b title='" + strings.Repeat("x", maxShort) + "' hidden", "<a href=" + strings.Repeat("x", 3000) + " hidden",
		"<b" + strings.Repeat(" x", maxShort/2-10) + " hidden",
	} {
		for shift := range 17 {
			compareInPieces(t, strings.Repeat("x", shift)+"<i>"+tag+behind)
			compareInPieces(t, strings.Repeat(" ", shift)+tag)
		}
		compareInPieces(t, strings.Repeat("x", bufferSize-10)+tag+behind)
	}
}

func TestTextIsReadAlikeInOneGoAndInPieces(t *testing.T) {
	for _, piece := range []string{" ", "  ", "\t", "\r\n", "\x00", "\x7f", "!", " !", "  !", "<", "< ", "&", "&amp;", "&nbsp;", "&nbsp", "&zwnj;", "\u00a0", "\u200b", "\u00e9", "é ", " é", "日本", "\u3000", "\U0001f600",
		"\xff", "\xe2", "\xe2\x80", "\ufffd", "<!-- -->", "<zzz>", "<b>", " <b> "} {
		for shift := range 18 {
			text := "some text"[:min(shift, 9)] + "and more of it"[:max(0, shift-9)]
			compareInPieces(t, text+piece+text+piece+piece+"the end of it all")
			compareInPieces(t, text+piece)
		}
	}
}

func TestTextNearItsLimitIsCutAsWordsAre(t *testing.T) {
	text := "one two  three<zzz>four five &amp; six é seven"
	whole := scan(t, text)
	for most := 1; most <= len(whole.Visible)+1; most++ {
		var a, b Document
		if err := a.Scan(strings.NewReader(text), Limits{Visible: most}); err != nil {
			t.Fatal(err)
		}
		if err := b.Scan(iotest.OneByteReader(strings.NewReader(text)), Limits{Visible: most}); err != nil {
			t.Fatal(err)
		}
		want := whole.Visible[:min(most, len(whole.Visible))]
		if !bytes.Equal(a.Visible, want) || !bytes.Equal(b.Visible, want) || a.Truncated != b.Truncated || a.Counts != b.Counts || a.Truncated != (most < len(whole.Visible)) {
			t.Errorf("%d: %q and %q, want %q", most, a.Visible, b.Visible, want)
		}
	}
}

func TestNamesAreKnownInAnyCaseAndOnlyWhole(t *testing.T) {
	hashes := map[kind]string{}
	for _, kinds := range tagNames {
		for text := range strings.FieldsSeq(kinds.names) {
			for _, spelling := range []string{text, strings.ToUpper(text)} {
				n, size := shortName([]byte(spelling+">                "), endsTag)
				if k := kindOf(n, size); k.tag != kinds.tag || n != nameOf(text) {
					t.Errorf("%s is %d, want %d", spelling, k.tag, kinds.tag)
				}
			}
			for _, other := range []string{text + "\x00", text + "x9", "x9" + text} {
				if k := kindOf(nameOf(other), min(len(other), maxName)); k.tag != tagUnknown {
					t.Errorf("%q is %d", other, k.tag)
				}
			}
			k := kindOf(nameOf(text), len(text))
			if hashes[k] != "" {
				t.Errorf("%s and %s are alike", text, hashes[k])
			}
			hashes[k] = text
		}
	}
}

// newsletters are letters of about 20 KiB, each other than the rest.
func newsletters(n int) (list [][]byte) {
	words := strings.Fields("the kiln was cold when we opened it this morning and most of the glazes had run so here are notes about each shelf: " +
		"stoneware of our own workshop, glazed in blue, now with free shipping until Sunday – see you at the fair")
	r := rand.New(rand.NewPCG(1, 2))
	text := func(b *strings.Builder, n int) {
		for range 1 + r.IntN(n) {
			b.WriteString(words[r.IntN(len(words))] + " ")
		}
	}
	for range n {
		var b strings.Builder
		b.WriteString("<html><head><style>p{margin:10px 0} .pre{display:none} td.x{color:#333}</style></head><body><div class=pre>News" + strings.Repeat("&zwnj;&nbsp;", 40) + "</div><table>")
		for b.Len() < 20<<10 {
			fmt.Fprintf(&b, "\n<tr><td align=\"center\" class=\"x\" style=\"padding:%dpx 18px;font:16px/150%% Helvetica,Arial,sans-serif;color:#%06x\">", r.IntN(4), 0x202020+r.IntN(2))
			if r.IntN(3) > 0 {
				b.WriteString("<p>")
				text(&b, 30)
				b.WriteString("</p>")
			}
			if r.IntN(2) > 0 {
				fmt.Fprintf(&b, "<a href=\"https://click.news.example/ls?upn=%x&amp;id=%d\" target=\"_blank\" style=\"color:#1f6f54\">", r.Int64(), r.IntN(1000))
				text(&b, 4)
				b.WriteString("</a>")
			}
			if r.IntN(2) > 0 {
				fmt.Fprintf(&b, "<br><img src=\"https://cdn.news.example/i/%d.jpg\" width=\"%d\" border=0 alt=\"", r.IntN(1e6), r.IntN(600))
				text(&b, 3)
				b.WriteString("\">")
			}
			b.WriteString("</td></tr>")
		}
		list = append(list, []byte(b.String()+"</table></body></html>"))
	}
	return list
}

// BenchmarkNewsletters scans different documents in turn: one alone is soon known to the processor by heart.
func BenchmarkNewsletters(b *testing.B) {
	list, n := newsletters(64), 0
	var d Document
	r := bytes.NewReader(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(bytes.Join(list, nil)) / len(list)))
	for b.Loop() {
		r.Reset(list[n%len(list)])
		d.Scan(r, Limits{})
		n++
	}
}

func BenchmarkScan(b *testing.B) {
	var d Document
	r := strings.NewReader(newsletter)
	b.ReportAllocs()
	b.SetBytes(int64(len(newsletter)))
	for b.Loop() {
		r.Reset(newsletter)
		d.Scan(r, Limits{})
	}
}
