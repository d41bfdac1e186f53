//go:build linux && e2e

package lab

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// A cloud's machine takes its host key from its user data, by cloud-init itself, and a disk that is
// attached is there at the next boot, or is not, and what is on it stays.
func TestCloudMachine(t *testing.T) {
	l := newLab(t, Options{Name: "test-cloud"})
	ctx := t.Context()
	dir := t.TempDir()
	if err := keygen(ctx, dir+"/key", "ed25519", "born"); err != nil {
		t.Fatal(err)
	}
	private, public := read1(t, dir+"/key"), strings.TrimSpace(read1(t, dir+"/key.pub"))
	data := "#cloud-config\nssh_deletekeys: true\nssh_keys:\n  ed25519_private: |\n"
	for line := range strings.Lines(private) {
		data += "    " + line
	}
	data += "  ed25519_public: " + public + "\n"
	disk, err := l.Disk(ctx, "data", 1)
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t, l, HostOptions{Name: "one", UserData: data, Disks: map[string]*Disk{"scsi-x": disk}})
	want := func(line, want string) {
		t.Helper()
		if got, err := h.Shell(ctx, line); err != nil || strings.TrimSpace(got) != want {
			boot, _ := h.Shell(ctx, "ls -l /dev/disk/by-id; journalctl --no-pager -b -u lab-mount -u local-fs.target | tail -n 30")
			t.Errorf("%s: %q, %v, want %q\n%s", line, got, err, want, boot)
		}
	}
	want("cloud-init status --wait >/dev/null; cloud-init status", "status: done")
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(public))
	if err != nil {
		t.Fatal(err)
	}
	h.HostKeys = []string{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))}
	if err := l.recordKeys(); err != nil {
		t.Fatal(err)
	}
	if got, err := sshInto(ctx, h, "root", "ls /etc/ssh/ssh_host_*_key"); err != nil || got != "/etc/ssh/ssh_host_ed25519_key\n" {
		t.Errorf("%q, %v", got, err)
	}
	want("d=$(readlink -f /dev/disk/by-id/scsi-x); blkid -p $d; echo $?; mkfs.ext4 -q $d && mkdir /mnt/x && mount $d /mnt/x && echo kept >/mnt/x/file && echo /dev/disk/by-id/scsi-x /mnt/x ext4 defaults,nofail 0 2 >>/etc/fstab", "2")
	for _, step := range []struct {
		attached bool
		want     string
	}{{true, "kept"}, {false, "gone"}, {true, "kept"}} {
		if step.attached {
			err = h.Attach(ctx, "scsi-x", disk)
		} else {
			err = h.Detach("scsi-x")
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Reboot(ctx); err != nil {
			t.Fatal(err)
		}
		want("systemctl is-system-running --wait >/dev/null; cat /mnt/x/file 2>/dev/null || echo gone", step.want)
	}
}

func read1(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
