package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"provision/remote/remotetest"
)

// TestCrashLoop: a service that ends whenever it is started is named with its own last lines, on the
// screen and on the page, and what was not begun is told in one line a host.
func TestCrashLoop(t *testing.T) {
	t.Parallel()
	fleet, inventory := bootFleet(t, remotetest.Options{})
	for _, h := range fleet.Hosts() {
		h.Crash("prefect-caddy", 1, "Error: loading <b>initial</b> config: no such directive: frobnicate\n")
	}
	page := filepath.Join(t.TempDir(), "report.html")
	code, out, errs := capture(t, "apply", "--yes", "-i", inventory, "--report", page)
	if code != 22 || out != "" {
		t.Fatalf("exit %d\n%s\n%s", code, out, errs)
	}
	for _, want := range []string{
		`(?m)^prefect   services  add container prefect-caddy  failed  `,
		`(?m)^worker-1  skipped   \d+ changes, the first is add `,
		`(?m)^error: prefect: container prefect-caddy: it starts and ends again \(exit code 1\)$`,
		`(?m)^    \| last lines of prefect-caddy:$`,
		`(?m)^    \| .*no such directive: frobnicate$`,
		`(?m)^  next: see more of it on prefect: docker logs --tail 100 prefect-caddy$`,
	} {
		if !regexp.MustCompile(want).MatchString(errs) {
			t.Errorf("not shown: %s in\n%s", want, errs)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<span class="bad">1 change failed</span>`, "no such directive: frobnicate", "loading &lt;b&gt;initial"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("not on the page: %q", want)
		}
	}
	if m := regexp.MustCompile(`<b>(\d+) of (\d+)</b>`).FindStringSubmatch(string(text)); m == nil || m[1] == m[2] {
		t.Errorf("the page does not say how many changes were not made: %q", m)
	}
	if dir := os.Getenv("PROVISION_PICTURES"); dir != "" {
		os.WriteFile(filepath.Join(dir, "failed.html"), text, 0o644)
		os.WriteFile(filepath.Join(dir, "failed.txt"), []byte(errs), 0o644)
	}
}

// TestReportNowhere: that the page cannot be written is found out before anything is done.
func TestReportNowhere(t *testing.T) {
	t.Parallel()
	fleet, inventory := bootFleet(t, remotetest.Options{})
	code, _, errs := capture(t, "apply", "--yes", "-i", inventory, "--report", filepath.Join(t.TempDir(), "no", "report.html"))
	if code != 3 || !strings.Contains(errs, "write the report: ") {
		t.Errorf("exit %d\n%s", code, errs)
	}
	for _, h := range fleet.Hosts() {
		if n := h.Counts().Connections; n != 0 {
			t.Errorf("%s was asked over %d connections", h.Name(), n)
		}
	}
}
