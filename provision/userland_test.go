package provision_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gliderlabs/ssh"
	"github.com/google/go-cmp/cmp"
	gossh "golang.org/x/crypto/ssh"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// TestRealUserland judges the simulation by the programs that it stands for: the product's own scripts run in a real sh with real
// tools behind real SSH, and must see, plan and make there what they see, plan and make on a simulated host. Only what needs a real
// machine is replaced there: testdata/userland/shims.
func TestRealUserland(t *testing.T) {
	t.Parallel()
	for name, busybox := range map[string]bool{"this machine's": false, "busybox": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := ""
			if busybox {
				program = os.Getenv("PROVISION_BUSYBOX")
				if program == "" {
					program, _ = exec.LookPath("busybox")
				}
				if program == "" {
					t.Skip("there is no busybox here: apt-get install busybox, or PROVISION_BUSYBOX=FILE")
				}
			}
			l := layout{host: func(_ string, o *remotetest.HostOptions) { o.Docker, o.NoSFTP = "running", true }}
			s := arrange(t, l)
			want := planned(t, s)
			simulated := s.server
			inventory, err := os.ReadFile(s.inventory)
			if err != nil {
				t.Fatal(err)
			}
			u := bootUserland(t, s.fleet.ClientKeyPEM(), program)
			host, port, _ := net.SplitHostPort(u.addr)
			s.write(filepath.Join(filepath.Dir(s.inventory), "known_hosts"), fmt.Sprintf("[%s]:%s %s%s\n", host, port, gossh.MarshalAuthorizedKey(u.hostKey), simulated.KnownHostsLine()))
			s.write(s.inventory, strings.Replace(string(inventory), fmt.Sprintf("port = %d", simulated.Port()), "port = "+port, 1))
			if d := cmp.Diff(want, planned(t, s)); d != "" {
				t.Fatalf("the plans of a blank host, simulated (-) and real (+), differ:\n%s", d)
			}

			// The engine can start nothing, so the apply gets as far as the images.
			before := listed(u.sh(t, listing))
			result, err := s.attempt().apply()
			if !isCode(err, report.ExitStep) {
				t.Fatalf("apply ends with %d, want %d: %s", report.ExitCode(err), report.ExitStep, explain(err))
			}
			for _, e := range report.Errors(err) {
				if !strings.Contains(e.Error()+e.Evidence, "this engine cannot do") {
					t.Errorf("%v\n%s", e, e.Evidence)
				}
			}
			done, left := 0, planned(t, s)
			for _, o := range result.Outcomes {
				if o.State != "done" {
					continue
				}
				done++
				// The engine forgets its networks.
				if !strings.HasPrefix(o.Step, "network ") && strings.Contains(left, fmt.Sprintf("%s %s %s: ", o.Host, o.Act, o.Step)) {
					t.Errorf("%s is done, and is planned again:\n%s", o.Step, left)
				}
			}
			if done < 15 {
				t.Errorf("only %d changes are done:\n%s", done, explain(err))
			}

			// Two simulated hosts tell what is new for each stack: what they have alike is so on the real one, too.
			s.write(s.inventory, string(inventory))
			one, other := simulatedFiles(t, s), simulatedFiles(t, arrange(t, l))
			alike := 0
			for path, f := range listed(u.sh(t, listing)) {
				if before[path] == f {
					continue
				}
				if one[path].kind != f.kind {
					t.Errorf("%s is %q on the real host, and %q on the simulated one", path, f.kind, one[path].kind)
				}
				if one[path].sum == other[path].sum {
					if alike++; one[path].sum != f.sum {
						t.Errorf("the content of %s differs", path)
					}
				}
			}
			if alike < 15 {
				t.Errorf("only %d files and directories were compared", alike)
			}
			t.Logf("%d changes planned, %d done, %d files and directories are alike", strings.Count(want, "\n"), done, alike)
		})
	}
}

// listing prints what there is where changes are made: path, owner, mode, kind and digest.
const listing = `find /etc /opt /root /var/lib 2>/dev/null | sort | while IFS= read -r f; do
	s=; [ ! -f "$f" ] || s=$(sha256sum <"$f")
	printf '%s|%s|%s\n' "$f" "$(stat -c '%u:%g %a %F' "$f")" "$s"
done`

type listedFile struct{ kind, sum string }

func listed(out string) map[string]listedFile {
	files := map[string]listedFile{}
	for line := range strings.Lines(out) {
		if f := strings.Split(strings.TrimSpace(line), "|"); len(f) == 3 {
			files[f[0]] = listedFile{f[1], f[2]}
		}
	}
	return files
}

// simulatedFiles are those of a simulated host after an apply.
func simulatedFiles(t *testing.T, s *site) map[string]listedFile {
	t.Helper()
	if _, err := s.attempt().apply(); err != nil {
		t.Fatal(explain(err))
	}
	sh(t, s, 0, listing+" >/root/listing")
	out, err := s.server.ReadFile("/root/listing")
	if err != nil {
		t.Fatal(err)
	}
	return listed(string(out))
}

func planned(t *testing.T, s *site) string {
	t.Helper()
	p, err := s.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	return announced(p)
}

// userland is a host that is made of real programs.
type userland struct {
	addr    string
	hostKey gossh.PublicKey
	enter   []string // what runs a command in it
}

// bootUserland boots one in namespaces of its own and serves it on loopback to the bearer of the key.
func bootUserland(t *testing.T, key []byte, busybox string) *userland {
	t.Helper()
	root := t.TempDir()
	spaces := []string{"--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child"}
	if os.Getuid() != 0 {
		spaces = append([]string{"--user", "--map-root-user", "--map-auto"}, spaces...)
	}
	if out, err := exec.Command("unshare", append(spaces, "sh", "-c", `mount -t tmpfs none "$1" && mkdir "$1/p" && mount -t proc none "$1/p"`, "sh", root)...).CombinedOutput(); err != nil {
		t.Skipf("no namespaces can be made here: %v %s", err, out)
	}
	// The files are found by their absolute paths: the script changes its directory.
	shims, err := filepath.Abs("testdata/userland/shims")
	if err != nil {
		t.Fatal(err)
	}
	init := exec.Command("unshare", append(spaces, "sh", "testdata/userland/boot.sh", root, shims, busybox)...)
	init.Stderr = t.Output()
	out, err := init.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := init.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = init.Process.Kill()
		_ = init.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the host does not boot: %v", err)
	}
	child, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", init.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	enter := []string{"nsenter", "-t", strings.TrimSpace(string(child)), "-m", "-u", "-i", "-n", "-p", "chroot", root, "/usr/bin/env", "-i", "HOME=/root", "PATH=/usr/local/sbin:/usr/bin:/bin", "/bin/sh", "-c"}
	if os.Getuid() != 0 {
		enter = slices.Insert(enter, 3, "-U", "--preserve-credentials")
	}
	signer, err := gossh.ParsePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	u := &userland{hostKey: signer.PublicKey(), enter: enter}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u.addr = l.Addr().String()
	server := &ssh.Server{
		Handler:          u.exec,
		PublicKeyHandler: func(_ ssh.Context, k ssh.PublicKey) bool { return ssh.KeysEqual(k, signer.PublicKey()) },
	}
	server.AddHostKey(signer)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return u
}

func (u *userland) command(ctx context.Context, script string) *exec.Cmd {
	return exec.CommandContext(ctx, u.enter[0], append(slices.Clone(u.enter[1:]), script)...)
}

// exec is one exec channel. A command that does not read its input does not wait for the end of it.
func (u *userland) exec(c ssh.Session) {
	cmd := u.command(c.Context(), c.RawCommand())
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = c, c.Stderr(), time.Minute
	in, err := cmd.StdinPipe()
	if err != nil {
		_ = c.Exit(255)
		return
	}
	go func() {
		defer in.Close()
		buf := make([]byte, 1<<15)
		for {
			n, err := c.Read(buf)
			if _, broken := in.Write(buf[:n]); err != nil || broken != nil {
				return
			}
		}
	}()
	code := 0
	if err := cmd.Run(); err != nil {
		code = 255
		if e := (*exec.ExitError)(nil); errors.As(err, &e) && e.Exited() {
			code = e.ExitCode()
		}
	}
	_ = c.Exit(code)
}

// sh runs a script on the host without a connection.
func (u *userland) sh(t *testing.T, script string) string {
	t.Helper()
	out, err := u.command(t.Context(), script).Output()
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return string(out)
}
