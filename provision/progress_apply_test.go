package provision_test

import (
	"strings"
	"testing"

	"provision/provision/report"
)

// TestImagesTellTheirBytes: of every image that is pulled it is told how many bytes of how many are
// there, and of every build with packages how many it has fetched. What the engine draws on its
// terminal is shown to nobody.
func TestImagesTellTheirBytes(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1})
	a := s.attempt()
	if _, err := a.apply(); err != nil {
		t.Fatal(err)
	}
	told, done := map[string][]report.Progress{}, map[string]bool{}
	for _, e := range a.events {
		if !strings.HasPrefix(e.Step, "image ") {
			continue
		}
		id := e.Host + " " + e.Step
		if e.Type == "change" && e.State == report.Done {
			done[id] = true
		}
		if e.Type != "progress" {
			continue
		}
		if strings.ContainsAny(e.Text, "\x1b\r") || strings.Contains(e.Text, `\x1b`) || strings.Contains(e.Text, "ownloading") || strings.HasSuffix(e.Text, " bytes") {
			t.Errorf("%s: %q is shown", id, e.Text)
		}
		if e.Progress != nil {
			told[id] = append(told[id], *e.Progress)
		}
	}
	pulls, builds := 0, 0
	for id := range done {
		if len(told[id]) == 0 {
			t.Errorf("%s: nothing is told", id)
			continue
		}
		last, between := told[id][len(told[id])-1], false
		for n, p := range told[id] {
			between = between || p.What == "pull" && p.Unit == "bytes" && p.Done > 0 && p.Done < p.Total
			if n > 0 && told[id][n-1].What == p.What && told[id][n-1].Unit == p.Unit && (p.Done < told[id][n-1].Done || p.What == "build" && p.Total != told[id][n-1].Total) {
				t.Errorf("%s: %+v after %+v", id, p, told[id][n-1])
			}
		}
		switch last.What {
		case "pull":
			pulls++
			if want := int64(4e5 + 8e5 + 12e5 + 16e5); last.Unit != "bytes" || last.Done != want || last.Total != want || !between {
				t.Errorf("%s: ends with %+v; on its way: %v", id, last, between)
			}
		case "build":
			if last.Unit != "steps" || last.Done != last.Total {
				t.Errorf("%s: ends with %+v", id, last)
			}
			if last.Bytes > 0 {
				builds++
			}
		}
	}
	if pulls < 4 || builds != 3 {
		t.Errorf("%d pulls, %d builds that fetch", pulls, builds)
	}
}
