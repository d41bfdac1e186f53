package remotetest

import (
	"strconv"
	"strings"

	"provision/remote/remotetest/unix"
)

// sudoMain is sudo [-n] [-S] [-p PROMPT] [-u USER] [-H] [--] [NAME=VALUE...] COMMAND...
// Passwords are asked every time, as in sessions that have no terminal in common.
func sudoMain(p *proc) int {
	o := p.Options("nSHEkKvl", "p:u:", map[string]string{"non-interactive": "n", "stdin": "S", "prompt": "p:", "user": "u:", "set-home": "H", "preserve-env": "E"})
	h := p.host
	args := o.Args
	env := map[string]string{}
	for len(args) > 0 && strings.Contains(args[0], "=") && !strings.HasPrefix(args[0], "/") {
		k, v, _ := strings.Cut(args[0], "=")
		env[k], args = v, args[1:]
	}
	if p.Cred.UID != 0 {
		switch h.options.Privilege {
		case SudoNoPassword:
		default:
			h.authenticate(p, o)
		}
	}
	if len(args) == 0 {
		if o.Has("v", "k", "K", "l") {
			return 0
		}
		p.Errorf("usage: sudo -h | -K | -k | -V\n")
		return 1
	}
	user := "root"
	if v, ok := o.Value["u"]; ok {
		user = v
	}
	c, home := h.sys.Account(user)
	invoker := h.sys.NameOf("/etc/passwd", p.Cred.UID)
	clean := map[string]string{
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "USER": user, "LOGNAME": user,
		"SHELL": "/bin/bash", "SUDO_USER": invoker, "SUDO_UID": strconv.Itoa(p.Cred.UID), "SUDO_GID": strconv.Itoa(p.Cred.GID), "SUDO_COMMAND": strings.Join(args, " "),
	}
	for _, k := range []string{"LANG", "LC_ALL", "TERM", "DISPLAY"} {
		if v, ok := p.Env[k]; ok {
			clean[k] = v
		}
	}
	for k, v := range env {
		clean[k] = v
	}
	code := p.Run(args, func(child *unix.Proc) { child.SetCred(c); child.Env = clean })
	if code == 127 {
		if probe := *p.Proc; true {
			probe.Env = clean
			if _, errno := probe.LookPath(args[0]); errno != 0 {
				return 1
			}
		}
	}
	return code
}

// authenticate asks for the password or ends the program.
func (h *Host) authenticate(p *proc, o unix.Parsed) {
	user := h.sys.NameOf("/etc/passwd", p.Cred.UID)
	if o.Has("n") {
		p.Errorf("sudo: a password is required\n")
		panic(unix.Exited(1))
	}
	if !o.Has("S") {
		p.Errorf("sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper\nsudo: a password is required\n")
		panic(unix.Exited(1))
	}
	prompt := "[sudo] password for " + user + ": "
	if v, ok := o.Value["p"]; ok {
		prompt = strings.NewReplacer("%u", user, "%U", "root", "%h", h.name, "%%", "%").Replace(v)
	}
	p.Errorf("\nWe trust you have received the usual lecture from the local System\nAdministrator. It usually boils down to these three things:\n\n    #1) Respect the privacy of others.\n    #2) Think before you type.\n    #3) With great power comes great responsibility.\n\n")
	for try := 1; ; try++ {
		p.Errorf("%s", prompt)
		line, ok := p.line()
		switch {
		case !ok && line == "":
			if try == 1 {
				p.Errorf("\nsudo: no password was provided\nsudo: a password is required\n")
			} else {
				p.Errorf("\nsudo: no password was provided\nsudo: %d incorrect password attempt\n", try-1)
			}
			panic(unix.Exited(1))
		case line == h.options.Password && h.options.Password != "":
			if h.options.Privilege == SudoDenied {
				p.Errorf("%s is not in the sudoers file.\nThis incident has been reported to the administrator.\n", user)
				panic(unix.Exited(1))
			}
			return
		case try == 3:
			p.Errorf("sudo: 3 incorrect password attempts\n")
			panic(unix.Exited(1))
		}
		p.Errorf("Sorry, try again.\n")
	}
}

// line reads one line from standard input, byte by byte so that nothing after it is lost.
func (p *proc) line() (string, bool) {
	var out []byte
	b := make([]byte, 1)
	for {
		n, err := p.Stdin().Read(b)
		if n == 0 || err != nil {
			return string(out), false
		}
		if b[0] == '\n' {
			return string(out), true
		}
		out = append(out, b[0])
	}
}
