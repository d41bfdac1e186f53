package provision_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"provision/provision/report"
)

// TestAMistakeInSSHConfigIsOneError: it is the same file for all hosts.
func TestAMistakeInSSHConfigIsOneError(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("needs ssh: apt-get install openssh-client")
	}
	s := arrange(t, layout{agents: 3})
	s.config = filepath.Join(filepath.Dir(s.inventory), "ssh_config")
	s.write(s.config, "Host x\n Prot 22\n")
	_, err := s.attempt().plan()
	all := report.Errors(err)
	if code := report.ExitCode(err); code != report.ExitUsage || len(all) != 1 {
		t.Fatalf("code %d, errors %v", code, all)
	}
	if e := all[0]; e.Host != "" || !strings.Contains(e.Error(), s.config+": line 2: Bad configuration option: prot") || e.Hint == "" {
		t.Errorf("%+v", e)
	}
	s.write(s.config, "Match final all\n ServerAliveInterval 30\nHost *\n Port 1\n")
	if _, err := s.attempt().plan(); err != nil {
		t.Errorf("with a config as on Red Hat: %v", err)
	}
}
