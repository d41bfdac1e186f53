package remotetest

import (
	"strconv"
	"strings"
)

// sudoMain is sudo [-n] [-S] [-p PROMPT] [-u USER] [-H] [--] [NAME=VALUE...] COMMAND...
// Passwords are asked every time, as in sessions that have no terminal in common.
func sudoMain(p *proc) int {
	o := p.options("nSHEkKvl", "p:u:", map[string]string{"non-interactive": "n", "stdin": "S", "prompt": "p:", "user": "u:", "set-home": "H", "preserve-env": "E"})
	h := p.host
	args := o.args
	env := map[string]string{}
	for len(args) > 0 && strings.Contains(args[0], "=") && !strings.HasPrefix(args[0], "/") {
		k, v, _ := strings.Cut(args[0], "=")
		env[k], args = v, args[1:]
	}
	if p.cred.uid != 0 {
		switch h.options.Privilege {
		case SudoNoPassword:
		default:
			h.authenticate(p, o)
		}
	}
	if len(args) == 0 {
		if o.has("v", "k", "K", "l") {
			return 0
		}
		p.errorf("usage: sudo -h | -K | -k | -V\n")
		return 1
	}
	user := "root"
	if v, ok := o.value["u"]; ok {
		user = v
	}
	c, home := h.account(user)
	invoker := h.nameOf("/etc/passwd", p.cred.uid)
	clean := map[string]string{
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "USER": user, "LOGNAME": user,
		"SHELL": "/bin/bash", "SUDO_USER": invoker, "SUDO_UID": strconv.Itoa(p.cred.uid), "SUDO_GID": strconv.Itoa(p.cred.gid), "SUDO_COMMAND": strings.Join(args, " "),
	}
	for _, k := range []string{"LANG", "LC_ALL", "TERM", "DISPLAY"} {
		if v, ok := p.env[k]; ok {
			clean[k] = v
		}
	}
	for k, v := range env {
		clean[k] = v
	}
	code := p.run(args, func(child *proc) { child.cred, child.env = c, clean })
	if code == 127 {
		if probe := *p; true {
			probe.env = clean
			if _, errno := probe.lookPath(args[0]); errno != 0 {
				return 1
			}
		}
	}
	return code
}

// authenticate asks for the password or ends the program.
func (h *Host) authenticate(p *proc, o parsed) {
	user := h.nameOf("/etc/passwd", p.cred.uid)
	if o.has("n") {
		p.errorf("sudo: a password is required\n")
		panic(exited(1))
	}
	if !o.has("S") {
		p.errorf("sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper\nsudo: a password is required\n")
		panic(exited(1))
	}
	prompt := "[sudo] password for " + user + ": "
	if v, ok := o.value["p"]; ok {
		prompt = strings.NewReplacer("%u", user, "%U", "root", "%h", h.name, "%%", "%").Replace(v)
	}
	p.errorf("\nWe trust you have received the usual lecture from the local System\nAdministrator. It usually boils down to these three things:\n\n    #1) Respect the privacy of others.\n    #2) Think before you type.\n    #3) With great power comes great responsibility.\n\n")
	for try := 1; ; try++ {
		p.errorf("%s", prompt)
		line, ok := p.line()
		switch {
		case !ok && line == "":
			if try == 1 {
				p.errorf("\nsudo: no password was provided\nsudo: a password is required\n")
			} else {
				p.errorf("\nsudo: no password was provided\nsudo: %d incorrect password attempt\n", try-1)
			}
			panic(exited(1))
		case line == h.options.Password && h.options.Password != "":
			if h.options.Privilege == SudoDenied {
				p.errorf("%s is not in the sudoers file.\nThis incident has been reported to the administrator.\n", user)
				panic(exited(1))
			}
			return
		case try == 3:
			p.errorf("sudo: 3 incorrect password attempts\n")
			panic(exited(1))
		}
		p.errorf("Sorry, try again.\n")
	}
}

// line reads one line from standard input, byte by byte so that nothing after it is lost.
func (p *proc) line() (string, bool) {
	var out []byte
	b := make([]byte, 1)
	for {
		n, err := p.stdin().Read(b)
		if n == 0 || err != nil {
			return string(out), false
		}
		if b[0] == '\n' {
			return string(out), true
		}
		out = append(out, b[0])
	}
}
