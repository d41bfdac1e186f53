package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"provision/remote"
)

func TestUploadWithoutSFTP(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"no subsystem":          "Subsystem none /bin/false",
		"subsystem ends":        "Subsystem sftp /bin/false",
		"subsystem talks":       "Subsystem sftp /bin/echo hello",
		"subsystem not present": "Subsystem sftp /usr/lib/none/sftp-server",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSSHD(t, config)
			c := dial(t, s.dialer(t), s.target())
			dir := t.TempDir()
			content := strings.Repeat("exit 1\n'\"$(touch /tmp/never)\n", 40000)
			path := filepath.Join(dir, `it's "$x"`)
			if err := c.Upload(ctx(t), path, strings.NewReader(content), int64(len(content)), 0o640, nil); err != nil {
				t.Fatal(full(err))
			}
			got, err := os.ReadFile(path)
			if err != nil || string(got) != content {
				t.Errorf("%d bytes arrived, %v, want %d", len(got), err, len(content))
			}
			if st, err := os.Stat(path); err != nil || st.Mode() != 0o640 {
				t.Errorf("mode %v, %v", st.Mode(), err)
			}
			for what, err := range map[string]error{
				"file exists":     c.Upload(ctx(t), path, strings.NewReader("x"), 1, 0o600, nil),
				"at least 1 came": c.Upload(ctx(t), filepath.Join(dir, "short"), strings.NewReader("x"), 2, 0o600, nil),
				"at least 3 came": c.Upload(ctx(t), filepath.Join(dir, "long"), strings.NewReader("xxx"), 2, 0o600, nil),
				"broken":          c.Upload(ctx(t), filepath.Join(dir, "broken"), io.MultiReader(strings.NewReader("xx"), broken{}), 2, 0o600, nil),
			} {
				wantError(t, err, remote.Failed, what)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 1 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestUploadToFullDisk(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	for name, config := range map[string]string{"sftp": "# sftp", "cat": "Subsystem sftp /bin/false"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir).CombinedOutput(); err != nil {
				t.Skipf("needs to mount a small file system: %s", out)
			}
			t.Cleanup(func() { _ = exec.Command("umount", dir).Run() })
			s := startSSHD(t, config)
			c := dial(t, s.dialer(t), s.target())
			// 96 KiB: the library takes them all and reports no error at Close.
			for _, size := range []int{96 << 10, 1 << 20} {
				err := c.Upload(ctx(t), filepath.Join(dir, "f"), strings.NewReader(strings.Repeat("x", size)), int64(size), 0o600, nil)
				e := wantError(t, err, remote.Failed)
				if !strings.Contains(e.Evidence, "free there: 0 KiB") && !strings.Contains(e.Evidence, "100%") {
					t.Errorf("the evidence does not show a full disk: %s", full(err))
				}
				if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
					t.Errorf("left behind: %v, %v", left, err)
				}
			}
		})
	}
}

func TestUploadCancelled(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{"sftp": "# sftp", "cat": "Subsystem sftp /bin/false"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSSHD(t, config)
			c := dial(t, s.dialer(t), s.target())
			dir := t.TempDir()
			why := errors.New("operator said stop")
			cx, cancel := context.WithCancelCause(ctx(t))
			time.AfterFunc(500*time.Millisecond, func() { cancel(why) })
			err := c.Upload(cx, filepath.Join(dir, "f"), slow{}, 1<<30, 0o600, nil)
			wantError(t, err, remote.Lost)
			if !errors.Is(err, why) {
				t.Errorf("got %v", err)
			}
			// cat sees its end of input some time after our end closed.
			for range 500 {
				if left, err := os.ReadDir(dir); err == nil && len(left) == 0 {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Error("the partial file is still there")
		})
	}
}

func TestUploadLost(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{"sftp": "# sftp", "cat": "Subsystem sftp /bin/false"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSSHD(t, config)
			cut := make(chan struct{})
			target := s.target()
			target.Port, target.HostKey = listen(t, func(c net.Conn) { forward(c, s.port, cut) }), hostLine(t, s)
			c := dial(t, s.dialer(t), target)
			time.AfterFunc(500*time.Millisecond, func() { close(cut) })
			err := c.Upload(ctx(t), filepath.Join(t.TempDir(), "f"), slow{}, 1<<30, 0o600, nil)
			wantError(t, err, remote.Lost)
		})
	}
}

func TestUploadAfterTheSFTPServerDied(t *testing.T) {
	t.Parallel()
	const server = "/usr/lib/openssh/sftp-server"
	if _, err := os.Stat(server); err != nil {
		t.Skip("needs " + server + ": apt-get install openssh-sftp-server")
	}
	dir := t.TempDir()
	pid := filepath.Join(dir, "pid")
	s := startSSHD(t, fmt.Sprintf("Subsystem sftp echo $$ >%s; exec %s", pid, server))
	c := dial(t, s.dialer(t), s.target())
	send := func(name string) error {
		return c.Upload(ctx(t), filepath.Join(dir, name), strings.NewReader("x"), 1, 0o600, nil)
	}
	if err := send("one"); err != nil {
		t.Fatal(full(err))
	}
	if _, err := c.Run(ctx(t), remote.Command{Script: "kill $(cat " + pid + "); sleep 0.2"}); err != nil {
		t.Fatal(err)
	}
	if err := send("two"); err != nil {
		t.Errorf("the next upload: %s", full(err))
	}
}

// TestUploadModeIsNeverWide looks at the file while its content is on the way.
func TestUploadModeIsNeverWide(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	c := dial(t, s.dialer(t), s.target())
	path := filepath.Join(t.TempDir(), "f")
	var seen os.FileMode
	look := func(done int64) {
		if st, err := os.Stat(path); err == nil && done > 0 {
			seen |= st.Mode().Perm()
		}
	}
	const size = 1 << 20
	if err := c.Upload(ctx(t), path, strings.NewReader(strings.Repeat("x", size)), size, 0o644, look); err != nil {
		t.Fatal(full(err))
	}
	if seen != 0o600 {
		t.Errorf("mode %v while being written, want 0600", seen)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("source is broken") }

type slow struct{}

func (slow) Read(p []byte) (int, error) {
	time.Sleep(10 * time.Millisecond)
	return min(len(p), 1024), nil
}
