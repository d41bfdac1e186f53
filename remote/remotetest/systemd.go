package remotetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"provision/remote/remotetest/unix"
)

// unit is a systemd service.
type unit struct {
	active, enabled, failed bool
}

func (h *Host) setUnit(name string, active, enabled bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.units[name] = &unit{active: active, enabled: enabled}
}

// bootUnits starts what is enabled, after a reboot.
func (h *Host) bootUnits() {
	h.mu.Lock()
	docker := h.units["docker"]
	start := docker != nil && docker.enabled
	for _, u := range h.units {
		u.active = u.enabled
	}
	h.mu.Unlock()
	h.bootUnitFiles()
	if start && h.docker.start() != nil {
		h.mu.Lock()
		docker.active, docker.failed = false, true
		h.mu.Unlock()
	}
}

// StopUnit stops a service, as a person on the host would.
func (h *Host) StopUnit(name string) { h.control("stop", name) }

// StartUnit starts a service.
func (h *Host) StartUnit(name string) { h.control("start", name) }

// control starts, stops, restarts or reloads a unit and tells what systemctl says if that fails.
func (h *Host) control(verb, name string) string {
	h.mu.Lock()
	u := h.units[name]
	h.mu.Unlock()
	if u == nil {
		return fmt.Sprintf("Failed to %s %s.service: Unit %s.service not found.", verb, name, name)
	}
	was := func() bool { h.mu.Lock(); defer h.mu.Unlock(); return u.active }()
	set := func(active, failed bool) {
		h.mu.Lock()
		defer h.mu.Unlock()
		u.active, u.failed = active, failed
	}
	if name == "docker" && was && (verb == "stop" || verb == "restart" || verb == "try-restart") {
		h.docker.stop()
	}
	switch verb {
	case "stop":
		set(false, false)
	case "reload":
		if !was {
			return name + ".service is not active, cannot reload."
		}
		if name == "ssh" {
			h.readHostKey()
		}
	case "start", "restart":
		if name == "docker" && (!was || verb == "restart") {
			if h.docker.start() != nil {
				set(false, true)
				return "Job for docker.service failed because the control process exited with error code.\nSee \"systemctl status docker.service\" and \"journalctl -xeu docker.service\" for details."
			}
		}
		set(true, false)
	}
	return ""
}

// systemctlMain is systemctl with the verbs that scripts use.
func systemctlMain(p *proc) int {
	o := p.Anywhere("ql", "p:n:t:", map[string]string{
		"now": "now", "quiet": "q", "no-pager": "np", "lines": "n:", "property": "p:", "value": "v", "no-block": "nb", "full": "l",
		"no-legend": "nl", "plain": "pl", "type": "t:", "state": "state:", "wait": "w", "failed": "failed",
	})
	if len(o.Args) == 0 {
		p.Unsupported("systemctl without a verb")
	}
	verb := o.Args[0]
	var names []string
	for _, n := range o.Args[1:] {
		names = append(names, strings.TrimSuffix(strings.TrimSuffix(n, ".service"), ".socket"))
	}
	h := p.host
	get := func(n string) (unit, bool) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if u := h.units[n]; u != nil {
			return *u, true
		}
		return unit{}, false
	}
	state := func(u unit) string {
		switch {
		case u.active:
			return "active"
		case u.failed:
			return "failed"
		}
		return "inactive"
	}
	quiet := func(format string, args ...any) {
		if !o.Has("q") {
			p.Printf(format, args...)
		}
	}
	mutate := slices.Contains([]string{"start", "stop", "restart", "reload", "try-restart", "enable", "disable", "daemon-reload", "mask", "unmask", "reset-failed"}, verb)
	if mutate && p.Cred.UID != 0 {
		p.Errorf("Failed to %s: Interactive authentication required.\n", verb)
		return 1
	}
	code := 0
	switch verb {
	case "daemon-reload":
		h.readUnitFiles()
	case "reset-failed":
	case "is-system-running":
		p.Printf("running\n")
	case "is-active", "is-failed":
		for _, n := range names {
			u, ok := get(n)
			quiet("%s\n", state(u))
			switch {
			case verb == "is-failed":
				code = unix.BoolToInt(!u.failed)
			case !ok:
				code = 4
			case !u.active:
				code = 3
			}
		}
	case "is-enabled":
		for _, n := range names {
			switch u, ok := get(n); {
			case !ok:
				quiet("not-found\n")
				code = 4
			case !u.enabled:
				quiet("disabled\n")
				code = 1
			default:
				quiet("enabled\n")
			}
		}
	case "start", "stop", "restart", "reload", "try-restart":
		for _, n := range names {
			p.Sleep(time.Second)
			if why := h.control(verb, n); why != "" {
				p.Errorf("%s\n", why)
				code = 1
				if strings.Contains(why, "not found") {
					code = 5
				}
			}
			if line := h.unitCommand(n); line != "" && (verb == "start" || verb == "restart") {
				code = max(code, p.Run([]string{"/bin/sh", "-c", line}, nil))
			}
		}
	case "enable", "disable":
		for _, n := range names {
			if _, ok := get(n); !ok {
				p.Errorf("Failed to %s unit: Unit %s.service does not exist\n", verb, n)
				return 1
			}
			h.mu.Lock()
			h.units[n].enabled = verb == "enable"
			h.mu.Unlock()
			if o.Has("now") {
				if why := h.control(map[string]string{"enable": "start", "disable": "stop"}[verb], n); why != "" {
					p.Errorf("%s\n", why)
					code = 1
				}
			}
		}
	case "show":
		for _, n := range names {
			u, ok := get(n)
			for _, prop := range strings.Split(strings.Join(o.List["p"], ","), ",") {
				value := ""
				switch prop {
				case "ActiveState":
					value = state(u)
				case "SubState":
					value = map[bool]string{true: "running", false: "dead"}[u.active]
				case "LoadState":
					value = map[bool]string{true: "loaded", false: "not-found"}[ok]
				case "UnitFileState":
					value = map[bool]string{true: "enabled", false: "disabled"}[u.enabled]
				default:
					p.Unsupported("systemctl show -p " + prop)
				}
				if o.Has("v") {
					p.Printf("%s\n", value)
				} else {
					p.Printf("%s=%s\n", prop, value)
				}
			}
		}
	case "status":
		for _, n := range names {
			u, ok := get(n)
			if !ok {
				p.Errorf("Unit %s.service could not be found.\n", n)
				return 4
			}
			p.Printf("* %s.service\n     Active: %s\n", n, state(u))
			if !u.active {
				code = 3
			}
		}
	case "cat":
		for _, n := range names {
			if _, ok := get(n); !ok {
				p.Errorf("No files found for %s.service.\n", n)
				return 1
			}
		}
	default:
		p.Unsupported("systemctl " + verb)
	}
	return code
}

func journalctlMain(p *proc) int {
	p.Anywhere("xeqb", "u:n:", map[string]string{"no-pager": "np", "unit": "u:", "lines": "n:", "since": "s:", "quiet": "q"})
	p.Printf("-- No entries --\n")
	return 0
}

// cloudInitMain says for a while that it is still running.
func cloudInitMain(p *proc) int {
	o := p.Anywhere("w", "", map[string]string{"wait": "w", "format": "f:", "long": "l"})
	if len(o.Args) != 1 || o.Args[0] != "status" || o.Value["f"] != "" {
		p.Unsupported("cloud-init " + strings.Join(p.Argv[1:], " "))
	}
	h := p.host
	for {
		h.mu.Lock()
		left := h.cloudInit
		if left > 0 {
			h.cloudInit--
		}
		h.mu.Unlock()
		if left <= 0 {
			p.Printf("status: done\n")
			return 0
		}
		if !o.Has("w") {
			p.Printf("status: running\n")
			return 0
		}
		p.Sleep(time.Second)
	}
}

const unitFiles = "/etc/systemd/system"

// readUnitFiles makes units of the files that somebody has put there.
func (h *Host) readUnitFiles() {
	infos, _ := h.sys.Tree.ReadDir(unix.Cred{}, unitFiles)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, i := range infos {
		name, ok := strings.CutSuffix(i.Name(), ".service")
		if (ok || strings.HasSuffix(name, ".timer")) && h.units[name] == nil {
			h.units[name] = &unit{}
		}
	}
}

// unitCommand is what a unit of such a file runs: the text of its ExecStart=/bin/sh -c '...', or its ExecStart=/bin/sh FILE.
func (h *Host) unitCommand(name string) string {
	b, _ := h.sys.Tree.ReadFile(unitFiles + "/" + name + ".service")
	for l := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(l), "ExecStart=/bin/sh -c '"); ok {
			return strings.TrimSuffix(text, "'")
		}
		if file, ok := strings.CutPrefix(strings.TrimSpace(l), "ExecStart=/bin/sh /"); ok {
			return "exec /bin/sh /" + file
		}
	}
	return ""
}

// bootUnitFiles runs what the enabled units of such files run, at boot.
func (h *Host) bootUnitFiles() {
	h.mu.Lock()
	var names []string
	for n, u := range h.units {
		if u.enabled {
			names = append(names, n)
		}
	}
	h.mu.Unlock()
	slices.Sort(names)
	for _, n := range names {
		if line := h.unitCommand(n); line != "" {
			p := h.sys.NewProc(unix.Cred{}, map[string]string{"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, "/")
			p.Program(func(p *unix.Proc) int { return p.Run([]string{"/bin/sh", "-c", line}, nil) })
			p.End()
		}
	}
}
