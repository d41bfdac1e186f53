package remotetest

import (
	"strings"
	"sync"
	"testing"
)

// TestAtOnce is for the race detector: pairs of what happens on a host at the same time. The second is done
// again and again as long as the first lasts.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	script := func(h *Host, user, text, want string) func(*testing.T) {
		return func(t *testing.T) {
			if r, errs := h.sh(user, text); r.Code != 0 || r.Stdout != want {
				t.Errorf("%s: exit status %d, %q %q", text, r.Code, r.Stdout, errs)
			}
		}
	}
	for name, pair := range map[string]func(*testing.T, *Host) (a, b func(*testing.T)){
		"a process of root's, and who looks at processes": func(_ *testing.T, h *Host) (a, b func(*testing.T)) {
			return script(h, "ops", strings.Repeat("sudo -n id -u\n", 20), strings.Repeat("0\n", 20)), func(t *testing.T) {
				for _, p := range h.Processes() {
					if len(p.Argv) > 0 && p.Argv[0] == "id" && p.UID != 0 {
						t.Errorf("%v runs as %d", p.Argv, p.UID)
					}
				}
			}
		},
		"a process in a container, and who looks at processes": func(t *testing.T, h *Host) (a, b func(*testing.T)) {
			run(t, h, "docker pull -q busybox:1 >/dev/null; docker run -d --name c busybox:1 sleep 1000 >/dev/null")
			return script(h, "root", strings.Repeat("docker exec -u 7 c id -u\n", 5), strings.Repeat("7\n", 5)), func(t *testing.T) {
				for _, p := range h.Processes() {
					if len(p.Argv) > 0 && p.Argv[0] == "id" && p.UID != 7 {
						t.Errorf("%v runs as %d", p.Argv, p.UID)
					}
				}
			}
		},
		"a container that starts, and the processes that its program has left behind": func(t *testing.T, h *Host) (a, b func(*testing.T)) {
			run(t, h, "docker pull -q busybox:1 >/dev/null")
			return func(t *testing.T) {
				run(t, h, `docker run -d --name d busybox:1 sh -c 'for i in 1 2 3 4 5; do echo left & (sleep 1; echo late) & done; echo begun; sleep 1000' >/dev/null`)
				if log, _ := h.sh("root", "docker logs d 2>&1; docker rm -f d >/dev/null"); !strings.Contains(log.Stdout, "begun\n") {
					t.Errorf("the container's log: %q", log.Stdout)
				}
			}, func(*testing.T) { h.Containers() }
		},
		"a disk that is formatted, and who asks for its size": func(_ *testing.T, h *Host) (a, b func(*testing.T)) {
			d := &Disk{MiB: 7}
			h.Attach("one", d)
			d.Format("ext4")
			return script(h, "root", "dumpe2fs -h /dev/sd-one | sed -n 's/^Block count: *//p'", "7\n"), func(*testing.T) { d.Format("ext4") }
		},
		"a host that a program takes off the network, and a test that plugs it in": func(_ *testing.T, h *Host) (a, b func(*testing.T)) {
			return func(*testing.T) { h.Unplug() }, func(*testing.T) { _ = h.Plug() } // it may be plugged in already
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := pair(t, testHost(t, HostOptions{User: "ops", Docker: "running"}))
			for range 10 {
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					a(t)
				}()
				for running := true; running; {
					select {
					case <-ended:
						running = false
					default:
						b(t)
					}
				}
			}
		})
	}
}

// TestCloseWhileSessionsBegin: who closes a host waits for all that runs there, also for a session that
// begins at this moment, and none begins afterwards.
func TestCloseWhileSessionsBegin(t *testing.T) {
	t.Parallel()
	for range 30 {
		f := NewFleet(Options{})
		h, err := f.Host("host-1", HostOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var clients sync.WaitGroup
		begin := make(chan struct{})
		for range 4 {
			c := dialHost(t, h)
			for range 5 {
				s, err := c.NewSession()
				if err != nil {
					t.Fatal(err)
				}
				clients.Go(func() {
					<-begin
					_ = s.Run("sleep 0") // it may come too late
				})
			}
		}
		close(begin)
		f.Close()
		if left := h.Processes(); len(left) > 0 {
			t.Errorf("run on a closed host: %v", left)
		}
		was := h.Counts().Execs
		clients.Wait()
		if now := h.Counts().Execs; now != was || len(h.Processes()) > 0 {
			t.Errorf("%d sessions began on a closed host, where %v run", now-was, h.Processes())
		}
	}
}
