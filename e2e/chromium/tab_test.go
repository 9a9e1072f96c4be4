package chromium

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// owner is who has a tab and wants it to fail.
type owner struct {
	testing.TB
	failed []any
	kept   []string
}

func (o *owner) Fatal(args ...any) { o.failed = append(o.failed, args...) }

func (o *owner) Keep(name string, _ []byte) { o.kept = append(o.kept, name) }

// serve serves a page of an HTML body and a script, and returns its address.
func serve(t *testing.T, body, script string) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<!doctype html><title>A page</title>%s<script src="page.js"></script>`, body)
	})
	mux.HandleFunc("/favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/page.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, script)
	})
	return Serve(t, mux)
}

// TestClick clicks on what comes late, is not to be used at first, moves, and is made anew
// again and again.
func TestClick(t *testing.T) {
	x := Visit(t, serve(t, `<div id="list"></div><input id="field"><p role="status"></p>`, `
		const list = document.querySelector("#list"), status = document.querySelector("[role=status]");
		let frames = 0, blurred = false;
		document.querySelector("#field").onchange = () => blurred = true;
		const step = () => {
			const button = document.createElement("button");
			button.textContent = "Go";
			button.disabled = ++frames % 2 === 1;
			button.onclick = () => status.textContent = "clicked, " + (blurred ? "changed" : "not changed");
			list.replaceChildren(...Array.from({ length: frames % 20 }, () => document.createElement("hr")), button);
			requestAnimationFrame(step);
		};
		setTimeout(step, 100);`))
	x.Write("#field", "a text")
	x.Click("#list button")
	x.Says("[role=status]", "clicked, changed")
}

// TestOver does not click through what lies over a button.
func TestOver(t *testing.T) {
	x := Visit(t, serve(t, `<button>Go</button><p role="status"></p><dialog>Over it all</dialog>`, `
		const dialog = document.querySelector("dialog");
		dialog.showModal();
		document.querySelector("button").onclick = () => document.querySelector("[role=status]").textContent = dialog.open ? "through" : "clicked";
		setTimeout(() => dialog.close(), 300);`))
	x.ClickText("Go")
	x.Says("[role=status]", "clicked")
	if said := x.Text("[role=status]"); said != "clicked" {
		t.Errorf("the button was clicked %s the dialog", said)
	}
}

// TestWait waits for what throws at first, for a promise, and over a page that is left.
func TestWait(t *testing.T) {
	x := Visit(t, serve(t, "", `setTimeout(() => {
		if (!location.hash) { location.hash = "again"; location.reload(); return; }
		window.late = { text: "here" };
	}, 100);`))
	x.Want(`late.text === "here" && location.hash === "#again"`)
	x.Want(`new Promise((done) => setTimeout(() => done(true), 50))`)
	x.owner = &owner{TB: t}
	x.patience = time.Second
	x.Want(`Promise.resolve(false)`)
	if x.Err == nil {
		t.Error("a promise of false was taken as true")
	}
}

// TestFault says of a wait that was in vain what was waited for and what the page showed,
// and does nothing after it.
func TestFault(t *testing.T) {
	url := serve(t, `<p role="status">All is quiet</p><p role="alert">Nothing works</p><button disabled>Go</button>`, `console.error("it broke");`)
	x := Visit(t, url)
	told := &owner{TB: t}
	for !strings.Contains(x.console.String(), "it broke") {
		if x.Ctx.Err() != nil {
			t.Fatal(context.Cause(x.Ctx))
		}
		time.Sleep(interval)
	}
	x.owner, x.patience = told, time.Second
	x.Click("button")
	x.Want("true")
	x.Want("this does not parse")
	if len(told.failed) != 1 || x.Err == nil {
		t.Fatalf("it failed %d times: %v", len(told.failed), told.failed)
	}
	for _, want := range []string{"button is clicked on", "at " + url, "status: All is quiet", "alert: Nothing works", "it broke"} {
		if !strings.Contains(x.Err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, x.Err)
		}
	}
	if len(told.kept) != 1 || told.kept[0] != "failed" {
		t.Errorf("pictures %q, want one of the failure", told.kept)
	}
}
