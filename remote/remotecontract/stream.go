package remotecontract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"provision/remote"
)

// mayBecomeRoot tells whether the login user is root or may become root.
func mayBecomeRoot(t *testing.T, c *remote.Conn) bool {
	_, err := c.Run(ctx(t), remote.Command{Script: "true", Root: true})
	return err == nil
}

// accounts are the ways to run something: as the login user, and as root where that is allowed.
func accounts(t *testing.T, c *remote.Conn, test func(t *testing.T, root bool)) {
	t.Run("login user", func(t *testing.T) { test(t, false) })
	t.Run("root", func(t *testing.T) {
		if !mayBecomeRoot(t, c) {
			t.Skip("the login user of this host may not become root")
		}
		test(t, true)
	})
}

func streamBothWays(t *testing.T, c *remote.Conn) {
	data := make([]byte, 300_000)
	for i := range data {
		data[i] = byte(i * i >> 3) // all bytes, no text
	}
	accounts(t, c, func(t *testing.T, root bool) {
		var out, errs bytes.Buffer
		err := c.Stream(ctx(t), remote.Stream{Script: `cat; echo done >&2`, Root: root, Stdin: bytes.NewReader(data), Stdout: &out, Stderr: &errs})
		if err != nil {
			t.Fatalf("%v\n%s", err, evidence(err))
		}
		if !bytes.Equal(out.Bytes(), data) {
			t.Errorf("%d bytes came back, want %d, the same", out.Len(), len(data))
		}
		if errs.String() != "done\n" {
			t.Errorf("stderr %q", errs.String())
		}
	})
	for _, tt := range []struct{ name, script, in, want string }{
		{"nothing", `cat`, "", ""},
		{"no line break at the end", `cat`, "a", "a"},
		{"a part", `head -c 2`, "abcdef", "ab"},
		{"none of it", `echo ready`, strings.Repeat("x", 1<<16), "ready\n"},
		{"what looks like ours", `cat`, "\nPROVISION-0-END 0\nexit 87\n", "\nPROVISION-0-END 0\nexit 87\n"},
		{"who reads", `read -r a; echo "got $a"; cat`, "one\ntwo\n", "got one\ntwo\n"},
	} {
		var out bytes.Buffer
		if err := c.Stream(ctx(t), remote.Stream{Script: tt.script, Stdin: strings.NewReader(tt.in), Stdout: &out}); err != nil || out.String() != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, out.String(), err, tt.want)
		}
	}
	var out bytes.Buffer
	if err := c.Stream(ctx(t), remote.Stream{Script: `cat; echo end`, Stdout: &out}); err != nil || out.String() != "end\n" {
		t.Errorf("without an input: %q, %v", out.String(), err)
	}
}

func streamExitCodes(t *testing.T, c *remote.Conn) {
	for _, tt := range []struct {
		script string
		code   int
	}{
		{`echo out; echo why >&2; exit 3`, 3},
		{`echo out; echo why >&2; sh -c 'kill -KILL $$'`, 137},
		{`echo out; echo why >&2; sh -c 'kill -TERM $$'`, 143},
	} {
		var out, errs bytes.Buffer
		err := c.Stream(ctx(t), remote.Stream{Script: tt.script, Stdin: strings.NewReader("x"), Stdout: &out, Stderr: &errs})
		var exit *remote.ExitError
		if !errors.As(err, &exit) || exit.Code != tt.code {
			t.Errorf("%s: got %v, want status %d", tt.script, err, tt.code)
			continue
		}
		if out.String() != "out\n" || !strings.HasPrefix(errs.String(), "why\n") || exit.Stdout != "" || !strings.HasPrefix(exit.Stderr, "why\n") {
			t.Errorf("%s: stdout %q, stderr %q, in the error %q and %q", tt.script, out.String(), errs.String(), exit.Stdout, exit.Stderr)
		}
	}
}

// streamStopped ends streams in all the ways in which our side can: none leaves a process behind.
func streamStopped(t *testing.T, c *remote.Conn) {
	accounts(t, c, func(t *testing.T, root bool) {
		dir := tempDir(t, c)
		pid := remote.Quote(dir + "/pid")
		// The script, its child and a grandchild that ignores SIGTERM all have to go.
		script := fmt.Sprintf(`echo $$ >%[1]s; sh -c 'trap "" TERM; echo $$ >>"$0"; echo begun; while :; do sleep 0.1; done' %[1]s & wait`, pid)
		gone := func(t *testing.T) {
			t.Helper()
			check := fmt.Sprintf(`n=0; while read -r p; do n=$((n + 1)); kill -s 0 "$p" 2>/dev/null && echo "$p lives"; done <%s; echo "$n seen"; : >%[1]s`, pid)
			res, err := c.Run(ctx(t), remote.Command{Script: check, Root: root})
			if err != nil || string(res.Stdout) != "2 seen\n" {
				t.Errorf("left behind: %q, %v", res.Stdout, err)
			}
		}
		why := errors.New("operator said stop")
		begun := func(f func()) io.Writer { return &onFirst{f: f} }

		cx, cancel := context.WithCancelCause(ctx(t))
		err := c.Stream(cx, remote.Stream{Script: script, Root: root, Stdout: begun(func() { cancel(why) })})
		var e *remote.Error
		if !errors.As(err, &e) || e.Kind != remote.Lost || !errors.Is(err, why) || e.Hint != "" {
			t.Errorf("cancelled: got %v (%s), want kind Lost with the cause", err, evidence(err))
		}
		gone(t)

		err = c.Stream(ctx(t), remote.Stream{Script: script, Root: root, Stdout: writerFunc(func([]byte) (int, error) { return 0, why })})
		if !errors.As(err, &e) || e.Kind != remote.Failed || !errors.Is(err, why) || e.Hint != "" {
			t.Errorf("a writer that fails: got %v (%s), want kind Failed with its error", err, evidence(err))
		}
		gone(t)

		// Both processes have told their numbers before the reader fails.
		both := make(chan struct{})
		seen := begun(func() { close(both) })
		late := readerFunc(func([]byte) (int, error) { <-both; return 0, why })
		err = c.Stream(ctx(t), remote.Stream{Script: script, Root: root, Stdin: io.MultiReader(strings.NewReader("some"), late), Stdout: seen})
		if !errors.As(err, &e) || e.Kind != remote.Failed || !errors.Is(err, why) {
			t.Errorf("a reader that fails: got %v, want kind Failed with its error", err)
		}
		gone(t)
	})
	if out, _ := exec(t, c, `echo alive`); out != "alive\n" {
		t.Errorf("afterwards: %q", out)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// onFirst calls f at the first byte.
type onFirst struct {
	f    func()
	done bool
}

func (o *onFirst) Write(p []byte) (int, error) {
	if !o.done {
		o.done = true
		o.f()
	}
	return len(p), nil
}

// downloads brings files of all kinds of content back.
func downloads(t *testing.T, c *remote.Conn) {
	accounts(t, c, func(t *testing.T, root bool) {
		dir := tempDir(t, c)
		for _, tt := range []struct{ name, make, want string }{
			{"empty", `:`, ""},
			{"one line", `echo one`, "one\n"},
			{"it's a \"$name\"", `printf '\000\001\377'`, "\x00\x01\xff"},
			{"digits", `printf 12`, "12"},
			{
				"large", `i=0; while [ $i -lt 2000 ]; do echo 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde; i=$((i+1)); done`,
				strings.Repeat("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n", 2000),
			},
		} {
			path := dir + "/" + tt.name
			if _, err := c.Run(ctx(t), remote.Command{Script: fmt.Sprintf("umask 077; { %s; } >%s", tt.make, remote.Quote(path)), Root: root}); err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			told, total := int64(-1), int64(-1)
			size, err := c.Download(ctx(t), remote.Download{Path: path, Root: root, To: &got, Progress: func(done, all int64) { told, total = done, all }})
			if err != nil || got.String() != tt.want || size != int64(len(tt.want)) {
				t.Errorf("%s: %d bytes, size %d, want %d: %v\n%s", tt.name, got.Len(), size, len(tt.want), err, evidence(err))
			}
			if told != size || total != size {
				t.Errorf("%s: progress ended at %d of %d, want %d", tt.name, told, total, size)
			}
			if root {
				if _, err := c.Run(ctx(t), remote.Command{Script: "rm -f " + remote.Quote(path), Root: true}); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

func downloadRefuses(t *testing.T, c *remote.Conn) {
	dir := tempDir(t, c)
	exec(t, c, "echo content >"+remote.Quote(dir+"/there"))
	for _, tt := range []struct{ name, path, words string }{
		{"no file", dir + "/none", "No such file"},
		{"directory", dir, "not a regular file"},
		{"line break in path", dir + "/a\nb", "control characters"},
	} {
		_, err := c.Download(ctx(t), remote.Download{Path: tt.path, To: io.Discard})
		var e *remote.Error
		if !errors.As(err, &e) || e.Kind != remote.Failed || !strings.Contains(err.Error()+evidence(err), tt.words) {
			t.Errorf("%s: got %v, want kind Failed and %q", tt.name, err, tt.words)
		}
	}
	full := errors.New("disk is full here")
	if _, err := c.Download(ctx(t), remote.Download{Path: dir + "/there", To: writerFunc(func([]byte) (int, error) { return 0, full })}); !errors.Is(err, full) {
		t.Errorf("a writer that fails: got %v", err)
	}
}

// downloadOfChanging has a file that is replaced while it is read: larger than all buffers between the
// host and us, so that its digest is not taken before.
func downloadOfChanging(t *testing.T, c *remote.Conn) {
	path := remote.Quote(tempDir(t, c) + "/f")
	exec(t, c, fmt.Sprintf("printf %%8000000s x >%[1]s; printf %%8000000s y >%[1]s.new", path))
	_, err := c.Download(ctx(t), remote.Download{Path: strings.Trim(path, "'"), To: &onFirst{f: func() {
		exec(t, c, fmt.Sprintf("mv -f %[1]s.new %[1]s", path))
	}}})
	var e *remote.Error
	if !errors.As(err, &e) || e.Kind != remote.Failed || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("got %v, want kind Failed that says so", err)
	}
}
