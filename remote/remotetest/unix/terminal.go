package unix

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"syscall"
)

// scriptMain is script -q [-e] [-f] -c COMMAND /dev/null: it runs a command whose output is a terminal, and copies it.
func scriptMain(p *Proc) int {
	o := p.Options("qef", "c:", map[string]string{"quiet": "q", "return": "e", "flush": "f", "command": "c:"})
	if !o.Has("q") || len(o.Args) != 1 || o.Args[0] != "/dev/null" || o.Value["c"] == "" {
		p.Unsupported("script other than -q -c COMMAND /dev/null")
	}
	c := p.Fork()
	c.Terminal = true
	out := p.FDs[1] // the command may write for a moment longer than this process has descriptors
	terminal := newDesc(&Desc{write: func(ctx context.Context, b []byte) (int, error) {
		if out == nil || out.write == nil {
			return 0, syscall.EBADF
		}
		if _, err := out.write(ctx, bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))); err != nil {
			return 0, err
		}
		return len(b), nil
	}})
	in, feed := NewPipe()
	feed.Close()
	c.SetFD(0, in)
	c.SetFD(1, terminal)
	c.SetFD(2, terminal.Dup())
	shell := p.Env["SHELL"]
	if shell == "" {
		shell = "/bin/sh"
	}
	result := p.Launch(c, func() int { return c.Exec([]string{shell, "-c", o.Value["c"]}) })
	ended := false
	defer func() {
		if !ended {
			c.Signal(syscall.SIGHUP) // its terminal is gone
		}
	}()
	code := p.Wait(c, result)
	ended = true
	if !o.Has("e") {
		return 0
	}
	return code
}

// ddMain is dd bs=N count=1 status=none: one read, of what is there, and one write.
func ddMain(p *Proc) int {
	value := map[string]string{}
	for _, a := range p.Options("", "", nil).Args {
		k, v, _ := strings.Cut(a, "=")
		value[k] = v
	}
	quiet := value["status"] == "none"
	delete(value, "status")
	number, kilo := strings.CutSuffix(value["bs"], "k")
	size, err := strconv.Atoi(number)
	if kilo {
		size <<= 10
	}
	if err != nil || size <= 0 || !quiet || value["count"] != "1" || len(value) != 2 {
		p.Unsupported("dd other than bs=N count=1 status=none")
	}
	b := make([]byte, size)
	n, _ := p.Stdin().Read(b)
	if n > 0 {
		if _, err := p.Stdout().Write(b[:n]); err != nil {
			return 1
		}
	}
	return 0
}
