// Package remotecontract holds what every host must do for package remote: the
// same cases run against a real OpenSSH server and against a simulated host, so
// that the simulated one cannot drift from the truth. It knows package remote
// and nothing of the hosts.
package remotecontract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"provision/remote"
)

// Run runs the contract as subtests. open gives the way to a host on which the
// cases may write below /tmp. Root is asked for only if the login user is root or
// may use sudo.
func Run(t *testing.T, open func(t *testing.T) (*remote.Dialer, remote.Target)) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *remote.Conn)
	}{
		{"exec output", execOutput},
		{"exec exit codes", execExitCodes},
		{"exec stdin is empty", execStdinIsEmpty},
		{"exec large output", execLargeOutput},
		{"exec too much output", execTooMuchOutput},
		{"exec large script", execLargeScript},
		{"exec in parallel", execInParallel},
		{"exec as root", execAsRoot},
		{"exec cancelled", execCancelled},
		{"shell runs scripts", shellRunsScripts},
		{"shell survives scripts", shellSurvivesScripts},
		{"shell progress", shellProgress},
		{"shell cancelled", shellCancelled},
		{"shell start", shellStart},
		{"shell start fails", shellStartFails},
		{"shell lock", shellLock},
		{"stream both ways", streamBothWays},
		{"stream exit codes", streamExitCodes},
		{"stream stopped", streamStopped},
		{"download", downloads},
		{"download refuses", downloadRefuses},
		{"download of a file that changes", downloadOfChanging},
		{"terminal", terminal},
		{"terminal cut", terminalCut},
		{"terminal stopped", terminalStopped},
		{"forwards", forwards},
		{"forwards nowhere", forwardsNowhere},
		{"upload", upload},
		{"upload refuses", uploadRefuses},
		{"sizes and counts", counts},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, target := open(t)
			c.test(t, dial(t, d, target))
		})
	}
}

func dial(t *testing.T, d *remote.Dialer, target remote.Target) *remote.Conn {
	t.Helper()
	conn, err := d.Dial(ctx(t), target)
	if err != nil {
		t.Fatalf("dial: %v\n%s", err, evidence(err))
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return conn
}

func ctx(t *testing.T) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return c
}

func evidence(err error) string {
	var e *remote.Error
	if errors.As(err, &e) {
		return e.Evidence + "\n" + e.Hint
	}
	return ""
}

func exec(t *testing.T, c *remote.Conn, script string) (string, string) {
	t.Helper()
	res, err := c.Run(ctx(t), remote.Command{Script: script})
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, evidence(err))
	}
	return string(res.Stdout), string(res.Stderr)
}

func tempDir(t *testing.T, c *remote.Conn) string {
	t.Helper()
	dir := fmt.Sprintf("/tmp/remotecontract-%016x", rand.Uint64())
	exec(t, c, "mkdir -m 700 "+remote.Quote(dir))
	t.Cleanup(func() { exec(t, c, "rm -rf "+remote.Quote(dir)) })
	return dir
}

func execOutput(t *testing.T, c *remote.Conn) {
	for _, tt := range []struct{ name, script, out, errs string }{
		{"lines", `echo a; echo b >&2; echo c`, "a\nc\n", "b\n"},
		{"no line break at the end", `printf a; printf b >&2`, "a", "b"},
		{"nothing", `:`, "", ""},
		{"empty script", ``, "", ""},
		{"only line breaks", `printf '\n\n'`, "\n\n", ""},
		{"comment at the end", "echo a # end", "a\n", ""},
		{"here document", "cat <<'E'\nit's $x\nE", "it's $x\n", ""},
		{"binary", `printf '\000\001\377\033'`, "\x00\x01\xff\x1b", ""},
		{"quotes", `printf '%s' ` + remote.Quote("a'b\"c\\d\n$e`f`"), "a'b\"c\\d\n$e`f`", ""},
		{"locale", `printf '%s' "$LC_ALL"`, "C", ""},
		{"no positional parameters", `printf '%s' "$#"`, "0", ""},
	} {
		out, errs := exec(t, c, tt.script)
		if diff := cmp.Diff([]string{tt.out, tt.errs}, []string{out, errs}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func execExitCodes(t *testing.T, c *remote.Conn) {
	for _, tt := range []struct {
		name, script string
		code         int
	}{
		{"exit", `echo out; echo why >&2; exit 3`, 3},
		{"last command", `echo out; echo why >&2; (exit 75)`, 75},
		{"set -e", `set -e; echo out; echo why >&2; false; echo no`, 1},
		{"not found", `echo out; echo why >&2; exec 2>/dev/null; no-such-command-here`, 127},
	} {
		res, err := c.Run(ctx(t), remote.Command{Script: tt.script})
		var exit *remote.ExitError
		if !errors.As(err, &exit) {
			t.Errorf("%s: got error %v, want an ExitError", tt.name, err)
			continue
		}
		want := remote.ExitError{Code: tt.code, Stdout: "out\n", Stderr: "why\n"}
		if diff := cmp.Diff(want, *exit); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(remote.Result{Stdout: []byte("out\n"), Stderr: []byte("why\n"), Code: tt.code}, res); diff != "" {
			t.Errorf("%s: result (-want +got):\n%s", tt.name, diff)
		}
	}
	if _, err := c.Run(ctx(t), remote.Command{Script: `if then`}); err == nil {
		t.Error("a script that does not parse succeeded")
	}
}

func execStdinIsEmpty(t *testing.T, c *remote.Conn) {
	out, _ := exec(t, c, "cat\nread x || echo end\necho after")
	if diff := cmp.Diff("end\nafter\n", out); diff != "" {
		t.Errorf("a command saw the script (-want +got):\n%s", diff)
	}
}

func execLargeOutput(t *testing.T, c *remote.Conn) {
	const line = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
	const n = 4000
	out, errs := exec(t, c, `i=0; while [ $i -lt 4000 ]; do echo `+line+`; echo `+line+` >&2; i=$((i+1)); done`)
	if want := strings.Repeat(line+"\n", n); out != want {
		t.Errorf("stdout has %d bytes, want %d", len(out), len(want))
	}
	if want := strings.Repeat(line+"\n", (64<<10)/64); errs != want {
		t.Errorf("the kept stderr has %d bytes, want the last %d", len(errs), len(want))
	}
}

func execTooMuchOutput(t *testing.T, c *remote.Conn) {
	_, err := c.Run(ctx(t), remote.Command{Script: `while :; do echo 0123456789; done`, MaxOutput: 10000})
	var e *remote.Error
	if !errors.As(err, &e) || e.Kind != remote.Failed {
		t.Errorf("got %v, want an error of kind Failed", err)
	}
	if out, _ := exec(t, c, `echo alive`); out != "alive\n" {
		t.Errorf("afterwards: %q", out)
	}
}

func execLargeScript(t *testing.T, c *remote.Conn) {
	var want, script strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&script, "printf '%%s\\n' 'line %d it'\\''s'\n", i)
		fmt.Fprintf(&want, "line %d it's\n", i)
	}
	if out, _ := exec(t, c, script.String()); out != want.String() {
		t.Errorf("%d bytes came back, want %d", len(out), want.Len())
	}
}

func execInParallel(t *testing.T, c *remote.Conn) {
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			res, err := c.Run(ctx(t), remote.Command{Script: fmt.Sprintf("sleep 0.1; echo %d", i)})
			if want := fmt.Sprintf("%d\n", i); err != nil || string(res.Stdout) != want {
				t.Errorf("got %q, %v, want %q", res.Stdout, err, want)
			}
		})
	}
	wg.Wait()
}

func execAsRoot(t *testing.T, c *remote.Conn) {
	if me, _ := exec(t, c, "id -u; sudo -n true 2>/dev/null && echo may || :"); me != "0\n" && !strings.HasSuffix(me, "may\n") {
		t.Skip("the login user of this host may not become root")
	}
	res, err := c.Run(ctx(t), remote.Command{Script: "id -u; cat", Root: true})
	if err != nil || string(res.Stdout) != "0\n" {
		t.Errorf("got %q, %v\n%s", res.Stdout, err, evidence(err))
	}
}

func execCancelled(t *testing.T, c *remote.Conn) {
	why := errors.New("operator said stop")
	cx, cancel := context.WithCancelCause(ctx(t))
	time.AfterFunc(300*time.Millisecond, func() { cancel(why) })
	start := time.Now()
	_, err := c.Run(cx, remote.Command{Script: `sleep 3`})
	var e *remote.Error
	if !errors.As(err, &e) || e.Kind != remote.Lost || !errors.Is(err, why) {
		t.Errorf("got %v, want kind Lost with the cause", err)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("returned after %v", d)
	}
	short, stop := context.WithTimeout(ctx(t), 200*time.Millisecond)
	defer stop()
	_, err = c.Run(short, remote.Command{Script: `sleep 3`})
	if !errors.As(err, &e) || e.Kind != remote.Timeout || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want kind Timeout", err)
	}
	if out, _ := exec(t, c, `echo alive`); out != "alive\n" {
		t.Errorf("afterwards: %q", out)
	}
}

func counts(t *testing.T, c *remote.Conn) {
	before := c.Stats()
	exec(t, c, `printf '%1000s' x`)
	after := c.Stats()
	if before.Connections != 1 || before.Handshake <= 0 {
		t.Errorf("one dial: %+v", before)
	}
	if after.Connections != 1 || after.Execs != before.Execs+1 || after.Channels != before.Channels+1 || after.BytesIn < before.BytesIn+1000 || after.BytesOut <= before.BytesOut {
		t.Errorf("one exec: before %+v, after %+v", before, after)
	}
}

func upload(t *testing.T, c *remote.Conn) {
	dir := tempDir(t, c)
	for _, tt := range []struct {
		name    string
		content []byte
		mode    fs.FileMode
	}{
		{"empty", nil, 0o600},
		{"small", []byte("one\n"), 0o644},
		{"it's a \"$name\"", []byte{0, 1, 0xff, '\n'}, 0o400},
		{"large", bytes.Repeat([]byte("0123456789abcdef"), 50000), 0o755},
	} {
		path := dir + "/" + tt.name
		var told int64
		err := c.Upload(ctx(t), path, bytes.NewReader(tt.content), int64(len(tt.content)), tt.mode, func(n int64) { told = n })
		if err != nil {
			t.Errorf("%s: %v\n%s", tt.name, err, evidence(err))
			continue
		}
		out, _ := exec(t, c, "cat "+remote.Quote(path))
		if out != string(tt.content) {
			t.Errorf("%s: %d bytes came back, want %d", tt.name, len(out), len(tt.content))
		}
		if told != int64(len(tt.content)) {
			t.Errorf("%s: progress ended at %d of %d", tt.name, told, len(tt.content))
		}
		mode, _ := exec(t, c, "ls -ld "+remote.Quote(path)+" | cut -c1-10")
		if want := fs.FileMode(tt.mode).String() + "\n"; mode != want {
			t.Errorf("%s: mode %q, want %q", tt.name, mode, want)
		}
	}
}

func uploadRefuses(t *testing.T, c *remote.Conn) {
	dir := tempDir(t, c)
	exec(t, c, "echo old >"+remote.Quote(dir+"/there"))
	for _, tt := range []struct {
		name, path string
		size       int64
	}{
		{"existing file", dir + "/there", 3},
		{"no directory", dir + "/none/x", 3},
		{"content too short", dir + "/short", 5},
		{"content too long", dir + "/long", 2},
		{"line break in path", dir + "/a\nb", 3},
	} {
		err := c.Upload(ctx(t), tt.path, strings.NewReader("new"), tt.size, 0o600, nil)
		var e *remote.Error
		if !errors.As(err, &e) || e.Kind != remote.Failed {
			t.Errorf("%s: got %v, want kind Failed", tt.name, err)
		}
	}
	reading := errors.New("source is broken")
	err := c.Upload(ctx(t), dir+"/broken", &failing{strings.NewReader("new"), reading}, 3, 0o600, nil)
	if !errors.Is(err, reading) {
		t.Errorf("broken source: got %v", err)
	}
	if out, _ := exec(t, c, "cd "+remote.Quote(dir)+"; ls; cat there"); out != "there\nold\n" {
		t.Errorf("left behind: %q", out)
	}
}

type failing struct {
	r   *strings.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	if f.r.Len() > 0 {
		return f.r.Read(p)
	}
	return 0, f.err
}
