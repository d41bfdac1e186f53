package main

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"provision/remote/remotetest"
)

// TestPage looks at the page of apply --report in a real browser: light, dark, and on a phone. With
// PROVISION_PICTURES the pictures are kept in that directory.
func TestPage(t *testing.T) {
	t.Parallel()
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("no chromium here to look at the report with")
	}
	fleet, inventory := bootFleet(t, remotetest.Options{Speed: 60})
	page := filepath.Join(t.TempDir(), "report.html")
	if code, out, errs := capture(t, "apply", "--yes", "-i", inventory, "--report", page); code != 0 {
		t.Fatalf("exit %d\n%s\n%s", code, out, errs)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, status, _ := capture(t, "status", "-i", inventory, "--json")
	boxes := strconv.Itoa(strings.Count(status, `"image":`) + 1)
	for _, outside := range []string{"src=", "href=", "url(http", "@import", "<script"} {
		if strings.Contains(string(text), outside) {
			t.Errorf("the page is not whole by itself: it has %s", outside)
		}
	}

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), options...)
	defer stop()
	tab, stopTab := chromedp.NewContext(alloc)
	defer stopTab()
	ctx, cancel := context.WithTimeout(tab, 2*time.Minute)
	defer cancel()
	evaluate := func(script string) string {
		t.Helper()
		out, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	backgrounds := map[string]string{}
	for _, look := range []struct {
		name, scheme  string
		width, height int64
	}{{"light", "light", 1100, 900}, {"dark", "dark", 1100, 900}, {"phone", "light", 390, 844}} {
		scheme := chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}},
			})
			return err
		})
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(look.width, look.height), scheme, chromedp.Navigate("file://"+page)); err != nil {
			t.Fatalf("%s: %v", look.name, err)
		}
		backgrounds[look.name] = evaluate("getComputedStyle(document.body).backgroundColor")
		if got := evaluate("document.querySelector('h1').innerText"); !regexp.MustCompile(`^\d+ changes made, everything works$`).MatchString(got) {
			t.Errorf("%s: the page says %q", look.name, got)
		}
		if got := evaluate("String(document.documentElement.scrollWidth <= window.innerWidth)"); got != "true" {
			t.Errorf("%s: the page is wider than the window", look.name)
		}
		if got := evaluate("String(parseFloat(getComputedStyle(document.body).fontSize) >= 16)"); got != "true" {
			t.Errorf("%s: the text is small", look.name)
		}
		// Every bar of the timeline is inside its lane, and the slow ones can be seen.
		if got := evaluate(`(() => { let seen = 0; for (const bar of document.querySelectorAll(".track i")) {
			const b = bar.getBoundingClientRect(), l = bar.parentNode.getBoundingClientRect();
			if (b.left < l.left - 1 || b.left > l.right + 1) return "a bar is outside of its lane: " + bar.title;
			if (b.width > 5) seen++; }
			return seen > 3 ? "" : seen + " bars can be seen" })()`); got != "" {
			t.Errorf("%s: %s", look.name, got)
		}
		if got := evaluate(`String(document.querySelectorAll("svg .box").length)`); got != boxes {
			t.Errorf("%s: the picture has %s boxes, want %s: the containers and the browsers", look.name, got, boxes)
		}
		// The plan and the steps are folded; they are opened for the picture.
		evaluate(`document.querySelectorAll("details").forEach((d, n) => d.open = n === 0), ""`)
		shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(bytes.NewReader(shot))
		if err != nil || picture.Bounds().Dx() != int(look.width) {
			t.Errorf("%s: the picture is no picture of that width: %v", look.name, err)
		}
		if dir := os.Getenv("PROVISION_PICTURES"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, "report-"+look.name+".png"), shot, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if backgrounds["light"] == backgrounds["dark"] {
		t.Errorf("light and dark have the same background %s", backgrounds["light"])
	}
	if unknown := fleet.Unknown(); len(unknown) > 0 {
		t.Errorf("the simulation does not know: %v", unknown)
	}
}
