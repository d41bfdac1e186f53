//go:build linux && e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"provision/e2e/lab"
)

// TestKilled ends the controller of a first apply with SIGKILL in the middle of apt, of an image build
// and of the migration. What it started on the host goes on; the next apply is started at once, waits
// for the end of that, and goes on from there.
func TestKilled(t *testing.T) {
	s, hosts := newSite(t, "e2e-killed", lab.HostOptions{Name: "all"})
	host := hosts[0]

	p, left := s.working(host, "apt-get .* install ")
	p.kill()
	watch := s.beside(host, left, holder)

	p, left = s.working(host, "docker build ")
	watch()
	// Two at once: the second says who works there and since when, and changes nothing.
	_, said := s.provision(14, "apply", "--yes")
	s.contains(said, fmt.Sprintf("process %d) works on this host, since 20", p.cmd.Process.Pid))
	s.contains(said, "--lock-wait")
	p.kill()
	watch = s.beside(host, left, holder)

	p, left = s.working(host, "database upgrade")
	watch()
	p.kill()
	watch = s.beside(host, left, composing)

	for p = s.start(applying...); ; p = s.start(applying...) {
		code, said := p.wait(15 * time.Minute)
		if code == 0 {
			break
		}
		s.stale(code, said)
	}
	watch()
	s.hardened(host, 5)
	s.provision(0, "verify", "--smoke")
	s.again(1)
	s.want(host, "ls -A /var/tmp | grep provision || true", "")
	s.want(host, "find /var/lib/provision /etc/docker -name '.provision.*'", "")
	s.want(host, "dpkg --audit", "")
}

var applying = []string{"apply", "--yes", "--lock-wait", "20m"}

// left is a process that a killed controller leaves on a host.
type left struct{ pid, start string }

// working starts an apply that waits for the lock, and returns once a process on the host matches. An
// apply that finds the host changed by what it waited for ends with 16 and is started again, as it says.
func (s *site) working(h *lab.Host, pattern string) (*process, left) {
	s.Helper()
	for range 5 {
		p := s.start(applying...)
		ctx, cancel := context.WithCancel(s.Context())
		found := make(chan left, 1)
		go func() {
			l, err := seen(ctx, h, pattern)
			if err != nil && ctx.Err() == nil {
				s.Errorf("a process like %q: %v", pattern, err)
			}
			found <- l
		}()
		select {
		case l := <-found:
			cancel()
			if l.pid == "" {
				p.kill()
				s.FailNow()
			}
			return p, l
		case err := <-p.ended:
			cancel()
			<-found
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				s.Fatal(err)
			}
			s.stale(p.cmd.ProcessState.ExitCode(), p.out.String()+p.errors.String())
		}
	}
	s.Fatalf("no apply got as far as %q", pattern)
	panic("unreachable")
}

// stale wants the only end that an apply may come to by itself here, short of success.
func (s *site) stale(code int, said string) {
	s.Helper()
	if code != 16 {
		s.Fatalf("apply ended with %d\n%s", code, said)
	}
	s.Logf("an apply that had waited found the host changed and ended with 16")
}

// seen waits for a process whose command line matches. The loop runs on the host, so that a
// short-lived one is seen; the bracket keeps the pattern from matching the loop itself.
func seen(ctx context.Context, h *lab.Host, pattern string) (left, error) {
	out, err := h.Shell(ctx, fmt.Sprintf(`n=0
until p=$(pgrep -o -f '[%s]%s') && t=$(cut -d' ' -f22 "/proc/$p/stat"); do n=$((n + 1)); [ $n -lt 12000 ] || exit 1; sleep 0.05; done
echo "$p $t"`, pattern[:1], pattern[1:]))
	pid, start, _ := strings.Cut(strings.TrimSpace(out), " ")
	return left{pid, start}, err
}

// beside watches, from now until that process ends, that nobody else works beside it: the line of
// shell prints no line that it does not print now. The process must be there now. The returned function waits
// for its end and gives the verdict.
func (s *site) beside(h *lab.Host, l left, prints string) func() {
	s.Helper()
	verdict := make(chan string, 1)
	go func() {
		out, err := h.Shell(s.Context(), fmt.Sprintf(`same() { [ "$(cut -d' ' -f22 /proc/%s/stat 2>/dev/null)" = %s ]; }
look() { %s; }
before=$(look)
same || { echo "it had ended before it was left alone"; exit; }
while same; do new=$(look | grep -vxF -e "$before"); [ -z "$new" ] || ! same || { echo "beside it there is $new, before there was $before"; exit; }; sleep 0.02; done
echo ended`, l.pid, l.start, prints))
		if err != nil {
			out = err.Error()
		}
		verdict <- strings.TrimSpace(out)
	}()
	return func() {
		s.Helper()
		if v := <-verdict; v != "ended" {
			s.Errorf("process %s, left on %s by a killed controller: %s", l.pid, h.Name, v)
		}
	}
}

const (
	// holder says who has the host's lock.
	holder = "cat /var/lib/provision/lock.note"
	// composing are the clients of Compose: the lock's note does not tell of a migration, which goes on
	// in its container when its client has ended with the connection.
	composing = "pgrep -f '[d]ocker compose --project'"
)
