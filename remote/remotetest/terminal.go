package remotetest

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"syscall"
)

// scriptMain is script -q [-e] [-f] -c COMMAND /dev/null: it runs a command whose output is a terminal, and copies it.
func scriptMain(p *proc) int {
	o := p.options("qef", "c:", map[string]string{"quiet": "q", "return": "e", "flush": "f", "command": "c:"})
	if !o.has("q") || len(o.args) != 1 || o.args[0] != "/dev/null" || o.value["c"] == "" {
		p.unsupported("script other than -q -c COMMAND /dev/null")
	}
	c := p.fork()
	c.terminal = true
	out := p.stdout()
	terminal := newDesc(&desc{write: func(_ context.Context, b []byte) (int, error) {
		if _, err := out.Write(bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))); err != nil {
			return 0, err
		}
		return len(b), nil
	}})
	in, feed := newPipe()
	feed.close()
	c.setFd(0, in)
	c.setFd(1, terminal)
	c.setFd(2, terminal.dup())
	shell := p.env["SHELL"]
	if shell == "" {
		shell = "/bin/sh"
	}
	result := p.launch(c, func() int { return c.exec([]string{shell, "-c", o.value["c"]}) })
	ended := false
	defer func() {
		if !ended {
			c.signal(syscall.SIGHUP) // its terminal is gone
		}
	}()
	code := p.wait(c, result)
	ended = true
	if !o.has("e") {
		return 0
	}
	return code
}

// ddMain is dd bs=N count=1 status=none: one read, of what is there, and one write.
func ddMain(p *proc) int {
	value := map[string]string{}
	for _, a := range p.options("", "", nil).args {
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
		p.unsupported("dd other than bs=N count=1 status=none")
	}
	b := make([]byte, size)
	n, _ := p.stdin().Read(b)
	if n > 0 {
		if _, err := p.stdout().Write(b[:n]); err != nil {
			return 1
		}
	}
	return 0
}
