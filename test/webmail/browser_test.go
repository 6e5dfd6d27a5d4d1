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
	allocator, end := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(testenv.Need(t, "chromium")[0]), chromedp.NoSandbox, chromedp.WindowSize(1280, 1000),
		chromedp.Env("HOME="+t.TempDir()), chromedp.ModifyCmdFunc(ownGroup),
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

// see waits until an element can be seen and used: the page has loaded, and nothing lies before it.
func (b *browser) see(selector, text string) found {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(20 * time.Millisecond) {
		f := b.look(selector, text)
		if f.Why == "" {
			return f
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("there is no %q with the text %q: %s", selector, text, f.Why)
		}
	}
}

// gone waits until there is no such element to be seen.
func (b *browser) gone(selector, text string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); b.look(selector, text).Why == ""; <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("there is still a %q with the text %q", selector, text)
		}
	}
}

// click waits for an element and clicks on its middle.
func (b *browser) click(selector, text string) {
	b.t.Helper()
	f := b.see(selector, text)
	b.do(chromedp.MouseClickXY(f.X, f.Y))
}

// write clicks into a field and types, in place of what it held.
func (b *browser) write(selector, text string) {
	b.t.Helper()
	b.click(selector, "")
	b.do(chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.KeyEvent(text))
	b.holds(selector, text)
}

// holds wants a field to have a value.
func (b *browser) holds(selector, want string) {
	b.t.Helper()
	if f := b.see(selector, ""); f.Value != want {
		b.t.Fatalf("%s holds %q, not %q", selector, f.Value, want)
	}
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
