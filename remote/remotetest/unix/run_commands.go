package unix

import (
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func envMain(p *Proc) int {
	args := p.Options("", "", nil).Args
	for len(args) > 0 && strings.Contains(args[0], "=") {
		k, v, _ := strings.Cut(args[0], "=")
		p.Env[k] = v
		args = args[1:]
	}
	if len(args) > 0 {
		return p.Exec(args)
	}
	for _, kv := range p.environ() {
		p.Printf("%s\n", kv)
	}
	return 0
}

// Duration reads a time as sleep and timeout take it, or ends the program.
func (p *Proc) Duration(text string) time.Duration {
	unit := time.Second
	if n := len(text); n > 0 {
		switch text[n-1] {
		case 's':
			text = text[:n-1]
		case 'm':
			unit, text = time.Minute, text[:n-1]
		case 'h':
			unit, text = time.Hour, text[:n-1]
		case 'd':
			unit, text = 24*time.Hour, text[:n-1]
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f < 0 {
		if path.Base(p.Argv[0]) == "timeout" {
			p.Fatalf(125, "invalid time interval ‘%s’", text)
		}
		p.Fatalf(1, "invalid time interval ‘%s’", text)
	}
	return time.Duration(f * float64(unit))
}

func sleepMain(p *Proc) int {
	o := p.Options("", "", nil)
	p.operands(o, 1)
	for _, a := range o.Args {
		p.Sleep(p.Duration(a))
	}
	return 0
}

// timeoutMain is timeout DURATION COMMAND...
// Its limit is kept on our clock too, but never below ten seconds of it: a busy machine is no hang.
func timeoutMain(p *Proc) int {
	o := p.Options("", "", nil)
	if len(o.Args) < 2 {
		p.Errorf("timeout: missing operand\n")
		return 125
	}
	limit := p.Duration(o.Args[0])
	c := p.Fork()
	result := p.Launch(c, func() int { return c.Exec(o.Args[1:]) })
	if limit == 0 {
		return p.Wait(c, result)
	}
	real := max(p.sys.ourTime(limit), p.sys.MinTimeout)
	t := time.NewTimer(real)
	defer t.Stop()
	for over := false; !over; {
		select {
		case code := <-result:
			return code
		case <-p.ctx.Done():
			panic(p.cause())
		case <-t.C:
			// A test that holds a program may take its time: the host's stands still.
			if over = p.sys.Held.Load() == 0; !over {
				t.Reset(real)
			}
		}
	}
	c.Signal(syscall.SIGTERM)
	p.Wait(c, result)
	return 124
}
