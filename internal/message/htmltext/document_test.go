package htmltext

import (
	"bytes"
	"io"
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
	for _, text := range []string{newsletter[:6000], testmail.HTML()[0].Text(2000), "a&#x1F600;<b title='&lt;'>\u200b<!-- - -- -->x"} {
		a, b := scan(t, text), new(Document)
		if err := b.Scan(iotest.OneByteReader(strings.NewReader(text)), Limits{}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Visible, b.Visible) || !bytes.Equal(a.Hidden, b.Hidden) || a.Counts != b.Counts {
			t.Errorf("%+v\n%+v\n%q\n%q", a.Counts, b.Counts, a.Visible, b.Visible)
		}
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
