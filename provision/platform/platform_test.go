package platform

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestFamilies(t *testing.T) {
	t.Parallel()
	var seen []string
	for _, tt := range []struct{ os, release, url, suite string }{
		{"ID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n", "13", "http://m/debian", "trixie"},
		{"ID=ubuntu\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\nUBUNTU_CODENAME=noble\n", "24.04", "http://m/ubuntu", "noble"},
		{"ID=\"rocky\"\nVERSION_ID=\"9.6\"\n", "9", "http://m/rhel", "9"},
		{"ID=\"almalinux\"\nVERSION_ID=\"10.0\"\n", "10", "http://m/rhel", "10"},
		{"ID=\"rhel\"\nVERSION_ID=\"9.4\"\n", "9", "http://m/rhel", "9"},
		{"ID=\"centos\"\nVERSION_ID=\"10\"\n", "10", "http://m/centos", "10"},
		{"ID=fedora\nVERSION_ID=42\n", "42", "http://m/fedora", "42"},
	} {
		os := OSRelease(tt.os)
		seen = append(seen, os["ID"])
		f, ok := Find(os["ID"])
		if got := f.Repository("http://m/", os); !ok || f.Release(os) != tt.release || got != (Repository{tt.url, tt.suite}) || !slices.Contains(f.Releases(), tt.release) {
			t.Errorf("%q: %v %s %v", tt.os, ok, f.Release(os), got)
		}
	}
	for _, f := range families {
		if !slices.Contains(seen, f.ID) {
			t.Errorf("the family %s has no row here", f.ID)
		}
	}
	if _, ok := Find("alpine"); ok {
		t.Error("alpine")
	}
}

// TestTheShellReadsAll has a real shell parse every script of every row, with values that must be quoted.
func TestTheShellReadsAll(t *testing.T) {
	t.Parallel()
	hostile := Repository{URL: "http://m/a'b;c", Suite: "x'y z"}
	for _, m := range managers() {
		scripts := map[string]string{
			"update": m.Update(), "install": m.Install("a", "b"), "installed": m.Installed("a"), "ask": m.Ask(hostile),
			"official": m.OfficialRepository(hostile, "a'key\n"),
		}
		for name, script := range scripts {
			parses(t, m.Words().Program+" "+name, script)
		}
	}
	for _, source := range []string{"auto", "official", "distro", "present"} {
		parses(t, "look "+source, Look("http://m/a'b", source))
	}
}

func parses(t *testing.T, name, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-n")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}
