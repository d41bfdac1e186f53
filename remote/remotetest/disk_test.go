package remotetest

import (
	"strings"
	"testing"
)

// TestDiskMoves: a file on a disk that comes from another machine has a number that no file of this
// machine has, so that mv and test do not take two files for one.
func TestDiskMoves(t *testing.T) {
	t.Parallel()
	a, b, d := testHost(t, HostOptions{}), testHost(t, HostOptions{}), &Disk{}
	sh := func(h *Host, script string) string {
		t.Helper()
		out, code := execLine(t, dialHost(t, h), script, "")
		if code != 0 {
			t.Fatalf("exit %d: %s", code, out)
		}
		return strings.TrimSpace(out)
	}
	const mount = "mkdir -p /mnt/d; echo /dev/disk/by-id/one /mnt/d ext4 nofail 0 2 >>/etc/fstab; mount /mnt/d || exit 1; "
	a.Attach("one", d)
	d.Format("ext4")
	number := sh(a, mount+"echo moved >/mnt/d/f; stat -c %i /mnt/d/f")
	a.Detach("one")
	b.Attach("one", d)
	here := sh(b, mount+"for i in $(seq 200); do echo here >/root/$i; done; stat -c %i /root/*; stat -c %i /mnt/d/f")
	lines := strings.Fields(here)
	if lines[len(lines)-1] != number {
		t.Fatalf("the file on the disk has number %s, and had %s", lines[len(lines)-1], number)
	}
	for _, n := range lines[:len(lines)-1] {
		if n == number {
			t.Errorf("a file of this machine has number %s, too", n)
		}
	}
	if got := sh(b, "mv -f /mnt/d/f /root/1 && cat /root/1"); got != "moved" {
		t.Errorf("moved: %q", got)
	}
}
