package webmail_test

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"postern/internal/testenv"
)

// patience is how long a page may take to show what a step waits for.
const patience = 30 * time.Second

// browser is a headless Chromium with one page. What its methods name by a CSS selector may lie in any frame of the page; with
// a text it is the first that contains the text.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	thrown []string // what scripts of the page threw
}

// openBrowser starts Chromium and ends it with the test. If the test has failed by then, it tells what the page shows.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	b := &browser{t: t}
	home, err := os.MkdirTemp("", "browser-") // short, for it makes sockets there
	if err != nil {
		t.Fatal(err)
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(testenv.Need(t, "chromium")[0]), chromedp.NoSandbox, chromedp.WindowSize(1280, 1000),
		chromedp.Env("HOME="+home, "TMPDIR="+home), chromedp.ModifyCmdFunc(ownGroup),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"))...) // it talks to nobody but Roundcube
	ctx, leave := chromedp.NewContext(allocator, chromedp.WithListener(b.hear))
	b.ctx = ctx
	group := 0
	t.Cleanup(func() {
		if t.Failed() && group != 0 {
			b.tell()
		}
		leave()
		if group != 0 {
			_ = syscall.Kill(-group, syscall.SIGKILL)
		}
		end()
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("Chromium does not start: %v", err)
	}
	group = chromedp.FromContext(ctx).Browser.Process().Pid
	return b
}

// hear notes what scripts of the page throw.
func (b *browser) hear(event any) {
	e, ok := event.(*runtime.EventExceptionThrown)
	if !ok {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	text := e.ExceptionDetails.Text
	if e.ExceptionDetails.Exception != nil {
		text += " " + e.ExceptionDetails.Exception.Description
	}
	b.thrown = append(b.thrown, fmt.Sprintf("%s (%s:%d)", text, e.ExceptionDetails.URL, e.ExceptionDetails.LineNumber+1))
}

// do has the page do something.
func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// open goes to an address.
func (b *browser) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
}

// found is what find.js tells of an element.
type found struct {
	X, Y        float64 // its middle in the page, CSS pixels
	Text, Value string
	Checked     bool
	Why         string // there is none that can be used yet
}

//go:embed find.js
var find string

// look asks once. While a page gives way to the next one there is nothing to be seen.
func (b *browser) look(selector, text string) found {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	f, err := chromedp.Run(ctx, chromedp.Evaluate[found](fmt.Sprintf("(%s)(%q, %q)", strings.TrimSpace(find), selector, text)))
	if err != nil {
		f.Why = err.Error()
	}
	return f
}

// until waits until nothing is missing.
func (b *browser) until(missing func() string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(20 * time.Millisecond) {
		why := missing()
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatal(why)
		}
	}
}

// see waits until an element can be seen and used: the page has loaded, and nothing lies before it.
func (b *browser) see(selector, text string) (f found) {
	b.t.Helper()
	b.until(func() string {
		if f = b.look(selector, text); f.Why == "" {
			return ""
		}
		return fmt.Sprintf("there is no %s %q: %s", selector, text, f.Why)
	})
	return f
}

// gone waits until there is no such element to be seen.
func (b *browser) gone(selector, text string) {
	b.t.Helper()
	b.until(func() string {
		if b.look(selector, text).Why != "" {
			return ""
		}
		return fmt.Sprintf("there is still a %s %q", selector, text)
	})
}

// holds waits until a field has a value.
func (b *browser) holds(selector, want string) {
	b.t.Helper()
	b.until(func() string {
		f := b.look(selector, "")
		if f.Why == "" && f.Value == want {
			return ""
		}
		return fmt.Sprintf("%s holds %q, not %q %s", selector, f.Value, want, f.Why)
	})
}

// click waits for an element and clicks on its middle.
func (b *browser) click(selector, text string) {
	b.t.Helper()
	f := b.see(selector, text)
	b.do(chromedp.MouseClickXY(f.X, f.Y))
}

// follow clicks on a link and waits until the page has given way to the next one.
func (b *browser) follow(selector, text string) {
	b.t.Helper()
	const mark = "window.beforeTheClick"
	b.do(chromedp.Evaluate[chromedp.Void](mark + " = true"))
	b.click(selector, text)
	b.until(func() string {
		if there, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](mark+" === true")); there || err != nil {
			return fmt.Sprintf("%s %q leads nowhere (%v)", selector, text, err)
		}
		return ""
	})
}

// write clicks into a field and types, in place of what it held.
func (b *browser) write(selector, text string) {
	b.t.Helper()
	b.click(selector, "")
	b.do(selectAll, chromedp.KeyEvent(text))
}

// paste is write for what is too long to be typed.
func (b *browser) paste(selector, text string) {
	b.t.Helper()
	b.click(selector, "")
	b.do(selectAll, func(ctx context.Context, page *chromedp.Target) (chromedp.Void, error) {
		return cdp.Call(ctx, page, input.InsertText, input.InsertTextParams{Text: text})
	})
}

var selectAll = chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl))

// press presses a key.
func (b *browser) press(key string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(key))
}

// choose opens a list of Roundcube's skin and takes an entry.
func (b *browser) choose(selector, entry string) {
	b.t.Helper()
	b.click(selector, "")
	b.click(".select-menu a", entry)
	b.gone(".select-menu", "")
}

// tell writes down what the page shows: its text, and a picture that `go test -artifacts` keeps.
func (b *browser) tell() {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.thrown) > 0 {
		b.t.Logf("scripts of the page threw:\n%.4000s", strings.Join(b.thrown, "\n"))
	}
	const shown = `[document, ...[...document.querySelectorAll("iframe")].map(f => f.contentDocument)].filter(d => d)
		.map(d => d.location + "\n" + d.body.innerText.slice(0, 3000)).join("\n\n")`
	if text, err := chromedp.Run(ctx, chromedp.Evaluate[string](shown)); err == nil {
		b.t.Logf("the page shows:\n%.8000s", text)
	}
	if image, err := chromedp.Run(ctx, chromedp.CaptureScreenshot()); err == nil {
		path := filepath.Join(b.t.ArtifactDir(), "page.png")
		if os.WriteFile(path, image, 0o600) == nil {
			b.t.Logf("a picture of it is in %s", path)
		}
	}
}
