package provision_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// TestWaitsForFirstBootAndPackages has a host at its first boot, where an upgrade that runs by itself
// holds the package lock. Both are waited for, and who is waited for is said.
func TestWaitsForFirstBootAndPackages(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{host: func(_ string, o *remotetest.HostOptions) { o.CloudInit = 3 }})
	free, err := s.server.HoldLock("/var/lib/dpkg/lock-frontend", "unattended-upgr")
	if err != nil {
		t.Fatal(err)
	}
	once := sync.OnceFunc(free)
	defer once()
	holder := ""
	for _, p := range s.server.Processes() {
		if p.Argv[0] == "unattended-upgr" {
			holder = fmt.Sprintf("waiting for the package lock: process %d (unattended-upgr) holds it", p.PID)
		}
	}
	a := s.attempt()
	var said []string
	a.on = func(e report.Event) {
		if e.Type != "progress" || !strings.HasPrefix(e.Text, "waiting for ") {
			return
		}
		said = append(said, e.Host+" "+e.Stage+": "+e.Text)
		if e.Text == holder {
			if installed := s.server.Ran("apt-get -q"); len(installed) > 0 {
				t.Errorf("not waited for: %q", installed)
			}
			once()
		}
	}
	if _, err := a.apply(); err != nil {
		t.Fatal(explain(err))
	}
	want := []string{"prefect system: waiting for cloud-init to end its first boot work", "prefect system: " + holder}
	if strings.Join(said, "\n") != strings.Join(want, "\n") {
		t.Errorf("said %q, want %q", said, want)
	}
	s.unchanged()
}
