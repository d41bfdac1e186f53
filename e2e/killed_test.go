//go:build linux && e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"provision/e2e/lab"
)

// testKilled ends the controller of a first apply with SIGKILL in the middle of apt and of the migration,
// and in the middle of an image build it stops one, which is how a controller looks whose network is
// gone. What they started on the host goes on; the next apply is started at once, waits for the end of
// that, and goes on from there.
func testKilled(t *testing.T) {
	s, hosts := newSite(t, "e2e-killed", gen3, lab.HostOptions{Name: "all"})
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
	watch = s.beside(host, left, holder)
	next := s.vanished(host, p)

	p, left = s.working(host, "database upgrade", next)
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

// vanished stops a controller at its work, wants it to be replaced when it has been silent for long
// enough and not before, and lets it go on: it must own up. It returns the apply that took its place.
func (s *site) vanished(h *lab.Host, p *process) *process {
	s.Helper()
	signal := func(sig os.Signal) { signalTo(s, p, sig) }
	signal(syscall.SIGSTOP) // its heartbeat, too
	pid, start, _ := strings.Cut(s.on(h, "sed -n 's/^pid //p' /var/lib/provision/lock.note"), " ")
	recorded := fmt.Sprintf(`[ "$(cut -d' ' -f22 /proc/%s/stat 2>/dev/null)" = %s ] && echo lives || echo gone`, pid, start)
	// Whether somebody is still there is not known yet: the next one waits, and ends nobody.
	early := s.start("apply", "--yes")
	s.until("the next one says whom it waits for", 3*time.Minute, func() bool {
		return strings.Contains(early.errors.String(), "waiting: ") && strings.Contains(early.errors.String(), fmt.Sprintf("process %d) works on this host, since 20", p.cmd.Process.Pid))
	})
	signalTo(s, early, os.Interrupt)
	if code, said := early.wait(3 * time.Minute); code != 130 {
		s.Errorf("exit %d\n%s", code, said)
	}
	s.want(h, recorded, "lives")

	s.on(h, "touch -d '61 seconds ago' /var/lib/provision/lock.note") // the note's age is all that counts, so a minute is saved
	next := s.start(append(applying, "--json")...)
	s.until("the next one says why it goes on", 3*time.Minute, func() bool { return strings.Contains(next.out.String(), "gave no sign of life for 1m") })
	s.until("the recorded shell is gone", time.Minute, func() bool { return s.on(h, recorded) == "gone" })

	signal(syscall.SIGCONT) // it hears what has happened when the build has ended
	if code, said := p.wait(10 * time.Minute); code == 0 {
		s.Errorf("a controller that was replaced says that all is done\n%s", said)
	}
	return next
}

func signalTo(s *site, p *process, sig os.Signal) {
	s.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		s.Fatal(err)
	}
}

var applying = []string{"apply", "--yes", "--lock-wait", "20m"}

// left is a process that a killed controller leaves on a host.
type left struct{ pid, start string }

// working starts an apply that waits for the lock, and returns once a process on the host matches. An
// apply that finds the host changed by what it waited for ends with 16 and is started again, as it says.
// The first may have been started already.
func (s *site) working(h *lab.Host, pattern string, started ...*process) (*process, left) {
	s.Helper()
	for range 5 {
		var p *process
		if len(started) > 0 {
			p, started = started[0], nil
		} else {
			p = s.start(applying...)
		}
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
