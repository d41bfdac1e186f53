package platform

import (
	"os/exec"
	"strings"
	"testing"
)

// TestForeign: each line is one that the program printed, and the real grep finds it by the one expression that is sent.
func TestForeign(t *testing.T) {
	t.Parallel()
	said := map[string][]string{
		"apt": {
			"dpkg: error processing package docker.io (--configure):",
			"W: GPG error: https://download.docker.com/linux/debian trixie InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 7EA0A9C3F273FCD8",
			"E: Unable to locate package no-such-package",
		},
		"dnf": {
			"  - Status code: 404 for http://mirror.example.org/rhel/9/x86_64/stable/repodata/repomd.xml (IP: 192.0.2.1)",
			" Problem: problem with installed package containerd-1.0-1.x86_64",
			"Error: Failed to download metadata for repo 'docker-ce-stable': Cannot download repomd.xml: Cannot download repodata/repomd.xml: All mirrors were tried",
			"Public key for containerd.io-1.7.1-1.x86_64.rpm is not installed",
			"Package docker-ce-28.0.0-1.x86_64.rpm is not signed",
			"warning: %post(docker-ce-28.0.0-1.x86_64) scriptlet failed, exit status 1",
		},
	}
	for _, m := range managers() {
		program := m.Words().Program
		lines := said[program]
		if len(lines) != len(foreigns[program]) {
			t.Errorf("%s: %d lines for %d rows", program, len(lines), len(foreigns[program]))
		}
		for i, line := range lines {
			for j, row := range foreigns[program] {
				if got := matches(t, "^("+row.begins+")", line); got != (i == j) {
					t.Errorf("%s %q: %q is found: %v", program, row.begins, line, got)
				}
			}
			if !matches(t, "^("+causes(m)+")", line) {
				t.Errorf("%s: %q is no cause", program, line)
			}
		}
		if matches(t, "^("+causes(m)+")", "Reading package lists...") {
			t.Errorf("%s: all is a cause", program)
		}
	}
}

func matches(t *testing.T, expression, line string) bool {
	t.Helper()
	cmd := exec.Command("grep", "-qE", expression)
	cmd.Stdin = strings.NewReader(line + "\n")
	err := cmd.Run()
	if err != nil && cmd.ProcessState.ExitCode() != 1 {
		t.Fatal(err)
	}
	return err == nil
}
