package remotecontract

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"provision/remote"
)

func shell(t *testing.T, c *remote.Conn, o remote.ShellOptions) *remote.Shell {
	t.Helper()
	sh, err := c.Shell(ctx(t), o)
	if err != nil {
		t.Fatalf("start shell: %v\n%s", err, evidence(err))
	}
	t.Cleanup(func() {
		if err := sh.Close(); err != nil {
			t.Errorf("close shell: %v", err)
		}
	})
	return sh
}

func run(t *testing.T, sh *remote.Shell, script string) string {
	t.Helper()
	out, err := sh.Run(ctx(t), script, nil)
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return string(out)
}

func shellRunsScripts(t *testing.T, c *remote.Conn) {
	before := c.Stats().Execs
	sh := shell(t, c, remote.ShellOptions{})
	for i, tt := range []struct{ script, want string }{
		{"echo one", "one\n"},
		{"printf two", "two"},
		{"", ""},
		{"cat; read x; echo three", "three\n"},
		{"cat <<E\nfour $((1+1))\nE", "four 2\n"},
		{"x=1; cd /", ""},
		{`printf '%s' "${x:-unset}"`, "unset"},
	} {
		if diff := cmp.Diff(tt.want, run(t, sh, tt.script)); diff != "" {
			t.Errorf("script %d (-want +got):\n%s", i, diff)
		}
	}
	if got := c.Stats().Execs - before; got != 1 {
		t.Errorf("%d execs, want 1", got)
	}
}

func shellSurvivesScripts(t *testing.T, c *remote.Conn) {
	sh := shell(t, c, remote.ShellOptions{})
	for _, tt := range []struct {
		script string
		want   remote.ExitError
	}{
		{"exit 3", remote.ExitError{Code: 3}},
		{"set -e; echo a; false; echo b", remote.ExitError{Code: 1, Stdout: "a\n"}},
		{"set -u; exec >/dev/null; echo why >&2; exit 75", remote.ExitError{Code: 75, Stderr: "why\n"}},
		{"echo part; exec 2>&-; exit 4", remote.ExitError{Code: 4, Stdout: "part\n"}},
	} {
		out, err := sh.Run(ctx(t), tt.script, nil)
		var exit *remote.ExitError
		if !errors.As(err, &exit) {
			t.Errorf("%s: got %v, want an ExitError", tt.script, err)
			continue
		}
		if diff := cmp.Diff(tt.want, *exit); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.script, diff)
		}
		if string(out) != tt.want.Stdout {
			t.Errorf("%s: stdout %q, want %q", tt.script, out, tt.want.Stdout)
		}
	}
	if _, err := sh.Run(ctx(t), "if then", nil); err == nil {
		t.Error("a script that does not parse succeeded")
	}
	if got := run(t, sh, "echo alive"); got != "alive\n" {
		t.Errorf("afterwards: %q", got)
	}
	if err := sh.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := sh.Run(ctx(t), "echo dead", nil); err == nil {
		t.Error("a closed shell ran a script")
	}
}

func shellProgress(t *testing.T, c *remote.Conn) {
	sh := shell(t, c, remote.ShellOptions{})
	first := make(chan string, 100)
	var got []string
	out, err := sh.Run(ctx(t), `echo one; sleep 0.5; echo; echo two >&2; sleep 0.2; printf '10%%\r20%%\r'; printf '\033[31mred'; exit 0`, func(line string) {
		got = append(got, line)
		first <- line
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "one\n\n10%\r20%\r\x1b[31mred"; string(out) != want {
		t.Errorf("stdout %q, want %q", out, want)
	}
	if diff := cmp.Diff([]string{"one", "two", "10%", "20%", `\x1b[31mred`}, got); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}

	// A line is told when it is there, not when the next one comes.
	came := make(chan time.Time, 1)
	if _, err := sh.Run(ctx(t), `echo now; sleep 1`, func(string) { came <- time.Now() }); err != nil {
		t.Fatal(err)
	}
	if early := time.Since(<-came); early < 500*time.Millisecond {
		t.Errorf("the line was told %v before the end, want about 1s", early)
	}
}

func shellCancelled(t *testing.T, c *remote.Conn) {
	sh, err := c.Shell(ctx(t), remote.ShellOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sh.Close() }()
	why := errors.New("operator said stop")
	cx, cancel := context.WithCancelCause(ctx(t))
	time.AfterFunc(300*time.Millisecond, func() { cancel(why) })
	start := time.Now()
	out, err := sh.Run(cx, `echo part; sleep 2`, nil)
	var e *remote.Error
	if !errors.As(err, &e) || e.Kind != remote.Lost || !errors.Is(err, why) {
		t.Errorf("got %v, want kind Lost with the cause", err)
	}
	if d := time.Since(start); d > 1500*time.Millisecond {
		t.Errorf("returned after %v", d)
	}
	if string(out) != "part\n" {
		t.Errorf("stdout so far: %q", out)
	}
	if _, err := sh.Run(ctx(t), "echo more", nil); !errors.As(err, &e) || e.Kind != remote.Lost {
		t.Errorf("a script after the cancel: got %v, want kind Lost", err)
	}
	if out, _ := exec(t, c, `echo alive`); out != "alive\n" {
		t.Errorf("the connection afterwards: %q", out)
	}
}

func shellStart(t *testing.T, c *remote.Conn) {
	sh := shell(t, c, remote.ShellOptions{Start: "echo noise; echo noise >&2\nFROM_START=\"it's set\"; export FROM_START\nexec sh"})
	if got := run(t, sh, `printf '%s' "$FROM_START"`); got != "it's set" {
		t.Errorf("got %q", got)
	}
	if got := run(t, sh, `echo two`); got != "two\n" {
		t.Errorf("got %q", got)
	}
}

func shellStartFails(t *testing.T, c *remote.Conn) {
	for _, tt := range []struct {
		name, start string
		want        remote.ExitError
	}{
		{"with words", "echo out; echo why >&2; exit 75", remote.ExitError{Code: 75, Stdout: "out\n", Stderr: "why\n"}},
		{"silently", "exit 75", remote.ExitError{Code: 75}},
		{"silently, by exec", "exec sh -c 'exit 75'", remote.ExitError{Code: 75}},
	} {
		_, err := c.Shell(ctx(t), remote.ShellOptions{Start: tt.start})
		var exit *remote.ExitError
		if !errors.As(err, &exit) {
			t.Errorf("%s: got %v, want an ExitError", tt.name, err)
			continue
		}
		got := *exit
		got.Stdout, got.Stderr = strings.TrimLeft(got.Stdout, "\n"), strings.TrimLeft(got.Stderr, "\n")
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func shellLock(t *testing.T, c *remote.Conn) {
	dir := tempDir(t, c)
	lock := remote.Quote(dir + "/lock")
	o := remote.ShellOptions{Start: fmt.Sprintf("exec flock -n -E 75 %s sh", lock)}
	first := shell(t, c, o)
	if got := run(t, first, "echo mine"); got != "mine\n" {
		t.Errorf("the winner: %q", got)
	}
	var exit *remote.ExitError
	if _, err := c.Shell(ctx(t), o); !errors.As(err, &exit) || exit.Code != 75 {
		t.Errorf("the loser: got %v, want exit status 75", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := shell(t, c, o)
	if got := run(t, second, "echo mine"); got != "mine\n" {
		t.Errorf("the next one: %q", got)
	}
}
