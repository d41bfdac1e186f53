package remotetest

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"time"
)

// lock is a flock(2) lock: it belongs to an open file description and is freed with its last
// descriptor, whoever inherited it.
type lock struct {
	pid  int
	comm string
}

// tryLock takes the lock of a file for a description, or tells that another has it.
func (h *Host) tryLock(d *desc, p *proc) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := d.file.n
	if h.locks[n] != nil {
		return false
	}
	h.locks[n] = &lock{p.pid, path.Base(p.argv[0])}
	d.onClose(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.locks, n)
	})
	return true
}

// HoldLock takes the lock of a file for a process that is not one of ours, until release is
// called. The process shows in /proc with that name.
func (h *Host) HoldLock(file, process string) (release func(), err error) {
	hd, err := h.tree.open(cred{}, file, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	p := h.newProc(cred{}, nil, "/")
	p.setArgv([]string{process})
	d := fileDesc(hd)
	p.fds[3] = d
	if !h.tryLock(d, p) {
		p.end()
		return nil, fmt.Errorf("%s is locked already", file)
	}
	return p.end, nil
}

// lockTable is /proc/locks. The tree's lock is held.
func (h *Host) lockTable() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var lines []string
	for n, l := range h.locks {
		lines = append(lines, fmt.Sprintf("FLOCK  ADVISORY  WRITE %d 08:01:%d 0 EOF", l.pid, n.ino))
	}
	slices.Sort(lines)
	out := ""
	for i, l := range lines {
		out += fmt.Sprintf("%d: %s\n", i+1, l)
	}
	return out
}

// flockMain is flock [-n] [-w SECONDS] [-E CODE] [-o] FILE|DESCRIPTOR [COMMAND...].
func flockMain(p *proc) int {
	o := p.options("nxeuo", "E:w:", map[string]string{"nonblock": "n", "nb": "n", "exclusive": "x", "unlock": "u", "close": "o", "conflict-exit-code": "E", "wait": "w", "timeout": "w"})
	if len(o.args) == 0 {
		p.fatalf(64, "requires file descriptor, file or directory")
	}
	conflict := 1
	if v, ok := o.value["E"]; ok {
		n, err := strconv.Atoi(v)
		if err != nil {
			p.fatalf(64, "invalid exit code: '%s'", v)
		}
		conflict = n
	}
	var d *desc
	fd := 3
	if n, err := strconv.Atoi(o.args[0]); err == nil && len(o.args) == 1 {
		if d, fd = p.fds[n], n; d == nil || d.file == nil {
			p.fatalf(66, "%d: Bad file descriptor", n)
		}
		if o.has("u") {
			p.host.mu.Lock()
			delete(p.host.locks, d.file.n)
			p.host.mu.Unlock()
			return 0
		}
	} else {
		h, err := p.open(o.args[0], os.O_RDONLY|os.O_CREATE)
		if err != nil {
			p.fatalf(66, "cannot open lock file %s: %s", o.args[0], strerror(err))
		}
		d = fileDesc(h)
		for p.fds[fd] != nil {
			fd++
		}
		p.setFd(fd, d)
	}
	var deadline time.Time
	if v, ok := o.value["w"]; ok {
		secs, err := strconv.ParseFloat(v, 64)
		if err != nil {
			p.fatalf(64, "invalid timeout value: '%s'", v)
		}
		deadline = time.Now().Add(time.Duration(secs * float64(time.Second) / p.host.fleet.options.Speed))
	}
	for !p.host.tryLock(d, p) {
		if o.has("n") || !deadline.IsZero() && time.Now().After(deadline) {
			return conflict
		}
		p.sleep(time.Duration(float64(2*time.Millisecond) * p.host.fleet.options.Speed))
	}
	command := o.args[1:]
	if len(command) == 2 && command[0] == "-c" {
		command = []string{"sh", "-c", command[1]}
	}
	if len(command) == 0 {
		return 0
	}
	return p.run(command, func(c *proc) {
		if o.has("o") {
			c.setFd(fd, nil)
		}
	})
}
