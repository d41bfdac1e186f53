package remotetest

import (
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func envMain(p *proc) int {
	o := p.options("i", "u:", map[string]string{"ignore-environment": "i", "unset": "u:"})
	if o.has("i") {
		p.env = map[string]string{}
	}
	for _, k := range o.list["u"] {
		delete(p.env, k)
	}
	args := o.args
	for len(args) > 0 && strings.Contains(args[0], "=") {
		k, v, _ := strings.Cut(args[0], "=")
		p.env[k] = v
		args = args[1:]
	}
	if len(args) > 0 {
		return p.exec(args)
	}
	for _, kv := range p.environ() {
		p.printf("%s\n", kv)
	}
	return 0
}

func (p *proc) duration(text string) time.Duration {
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
		if path.Base(p.argv[0]) == "timeout" {
			p.fatalf(125, "invalid time interval ‘%s’", text)
		}
		p.fatalf(1, "invalid time interval ‘%s’", text)
	}
	return time.Duration(f * float64(unit))
}

func sleepMain(p *proc) int {
	o := p.options("", "", nil)
	p.operands(o, 1)
	for _, a := range o.args {
		p.sleep(p.duration(a))
	}
	return 0
}

// timeoutMain is timeout [-k DURATION] [-s SIGNAL] [--preserve-status] [--foreground] DURATION COMMAND...
// Its limit is kept on our clock too, but never below ten seconds of it: a busy machine is no hang.
func timeoutMain(p *proc) int {
	o := p.options("v", "k:s:", map[string]string{"kill-after": "k:", "signal": "s:", "preserve-status": "P", "foreground": "F"})
	if len(o.args) < 2 {
		p.errorf("timeout: missing operand\n")
		return 125
	}
	limit := p.duration(o.args[0])
	sig := syscall.SIGTERM
	if v, ok := o.value["s"]; ok {
		if sig, ok = parseSignal(v); !ok {
			p.fatalf(125, "%s: invalid signal", v)
		}
	}
	c := p.fork()
	result := p.launch(c, func() int { return c.exec(o.args[1:]) })
	if limit == 0 {
		return p.wait(c, result)
	}
	real := max(time.Duration(float64(limit)/p.host.fleet.options.Speed), p.host.fleet.options.MinTimeout)
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
			if over = p.host.held.Load() == 0; !over {
				t.Reset(real)
			}
		}
	}
	c.signal(sig)
	if v, ok := o.value["k"]; ok {
		kill := time.AfterFunc(time.Duration(float64(p.duration(v))/p.host.fleet.options.Speed), func() { c.signal(syscall.SIGKILL) })
		defer kill.Stop()
	}
	code := p.wait(c, result)
	if o.has("P") || sig == syscall.SIGKILL {
		return code
	}
	return 124
}

func setsidMain(p *proc) int {
	o := p.options("fw", "", map[string]string{"fork": "f", "wait": "w"})
	if o.has("f") {
		c := p.fork()
		c.leadGroup()
		p.launch(c, func() int { return c.exec(o.args) })
		return 0
	}
	p.leadGroup()
	return p.exec(o.args)
}
