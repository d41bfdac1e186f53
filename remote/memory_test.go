//go:build !race

package remote_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"

	"provision/remote"
)

// counter is an output that keeps nothing but the number of bytes.
type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// amount is what goes over the connection: 1 GiB, under -short 64 MiB, which is more than flatLimit, too.
func amount() int64 {
	if testing.Short() {
		return 64 << 20
	}
	return 1 << 30
}

// flatLimit is by how much data of any size may let the process grow.
const flatLimit = 32 << 20

// TestMemoryIsFlat sends and gets much over a real sshd. Each case has a process of its own, whose peak
// resident set is measured, without the race detector, which takes more than that for itself. The last case
// keeps what comes: it shows that the measure would tell.
func TestMemoryIsFlat(t *testing.T) {
	const child = "PROVISION_TEST_MEMORY"
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells the peak")
	}
	for _, c := range []struct {
		name   string
		config []string
		move   func(t *testing.T, c *remote.Conn, size int64)
	}{
		{"upload", nil, uploadMuch},
		{"upload without sftp", []string{"Subsystem sftp /bin/false"}, uploadMuch},
		{"stdin", nil, func(t *testing.T, c *remote.Conn, size int64) {
			streamMuch(t, c, fmt.Sprintf("wc -c | grep -qx %d", size), size, 0)
		}},
		{"stdout", nil, func(t *testing.T, c *remote.Conn, size int64) {
			streamMuch(t, c, fmt.Sprintf("head -c %d /dev/zero", size), 0, size)
		}},
		{"stderr", nil, func(t *testing.T, c *remote.Conn, size int64) {
			var out counter
			err := c.Stream(long(t), remote.Stream{Script: fmt.Sprintf("head -c %d /dev/zero >&2", size), Stderr: &out})
			if err != nil || int64(out) != size {
				t.Errorf("%d bytes came: %s", out, full(err))
			}
		}},
		{"there and back", nil, func(t *testing.T, c *remote.Conn, size int64) { streamMuch(t, c, "cat", size, size) }},
		{"download", nil, func(t *testing.T, c *remote.Conn, size int64) {
			path := filepath.Join(t.TempDir(), "sparse") // takes no room on the disk
			write(t, path, nil)
			if err := os.Truncate(path, size); err != nil {
				t.Fatal(err)
			}
			var out counter
			told, err := c.Download(long(t), remote.Download{Path: path, To: &out})
			if err != nil || told != size || int64(out) != size {
				t.Errorf("%d bytes came, the size told is %d: %s", out, told, full(err))
			}
		}},
		{"kept", nil, func(t *testing.T, c *remote.Conn, _ int64) {
			var out bytes.Buffer
			if err := c.Stream(long(t), remote.Stream{Script: "head -c 67108864 /dev/zero", Stdout: &out}); err != nil {
				t.Error(full(err))
			}
		}},
	} {
		if name := os.Getenv(child); name != "" {
			if name == c.name {
				s := startSSHD(t, c.config...)
				conn := dial(t, s.dialer(t), s.target())
				if _, err := conn.Run(ctx(t), remote.Command{Script: "true"}); err != nil {
					t.Fatal(full(err))
				}
				before := peakRSS(t)
				c.move(t, conn, amount())
				t.Logf("grew by %d bytes", peakRSS(t)-before)
			}
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMemoryIsFlat$", "-test.v", fmt.Sprintf("-test.short=%v", testing.Short()))
			cmd.Env = append(os.Environ(), child+"="+c.name)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			grew := regexp.MustCompile(`grew by (\d+) bytes`).FindSubmatch(out)
			if grew == nil {
				if bytes.Contains(out, []byte("--- SKIP")) {
					t.Skipf("%s", out)
				}
				t.Fatalf("the peak was not told\n%s", out)
			}
			n, _ := strconv.Atoi(string(grew[1]))
			t.Logf("the process grew by %d MiB", n>>20)
			if kept := c.name == "kept"; kept != (n > flatLimit) {
				t.Errorf("the process grew by %d MiB, the limit is %d MiB", n>>20, flatLimit>>20)
			}
		})
	}
}

func uploadMuch(t *testing.T, c *remote.Conn, size int64) {
	path := filepath.Join(t.TempDir(), "f")
	if err := c.Upload(long(t), path, io.LimitReader(zeros{}, size), size, 0o600, nil); err != nil {
		t.Fatal(full(err))
	}
	if st, err := os.Stat(path); err != nil || st.Size() != size {
		t.Errorf("%v, %v", st, err)
	}
}

// streamMuch runs a script that takes in bytes and prints out bytes; none means no stream.
func streamMuch(t *testing.T, c *remote.Conn, script string, in, out int64) {
	var got counter
	cmd := remote.Stream{Script: script, Stdout: &got}
	if in > 0 {
		cmd.Stdin = io.LimitReader(zeros{}, in)
	}
	if err := c.Stream(long(t), cmd); err != nil || int64(got) != out {
		t.Errorf("%d bytes came, want %d: %s", got, out, full(err))
	}
}

// peakRSS is the most memory that this process ever had, in bytes.
func peakRSS(t *testing.T) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	peak := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if peak == nil {
		t.Fatal("no VmHWM in /proc/self/status")
	}
	kib, err := strconv.Atoi(string(peak[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
