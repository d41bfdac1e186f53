package remotetest

import (
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"

	"provision/remote/remotetest/unix"
)

// serve is sshd: public keys only, MaxSessions, the login shell of the user, and forwarding for
// those who jump through this host.
func (h *Host) serve(l net.Listener) (err error) {
	if h.key, err = h.newHostKey(); err != nil {
		return err
	}
	var mu sync.Mutex
	open := map[*gossh.ServerConn]int{}
	h.server = &ssh.Server{
		Version:     "OpenSSH_10.0p2 Debian-7",
		HostSigners: []ssh.Signer{h.key},
		Handler:     h.session,
		PublicKeyHandler: func(ctx ssh.Context, key ssh.PublicKey) bool {
			return h.takesKey(ctx.User(), key)
		},
		ConnCallback:                func(_ ssh.Context, c net.Conn) net.Conn { return h.wrap(c) },
		LocalPortForwardingCallback: func(ssh.Context, string, uint32) bool { return !h.options.Login.NoForwarding },
		ServerConfigCallback:        h.loginConfig,
		BannerHandler:               func(ssh.Context) string { return h.options.Login.Banner },
		ChannelHandlers: map[string]ssh.ChannelHandler{
			"direct-tcpip": ssh.DirectTCPIPHandler,
			"session": func(srv *ssh.Server, c *gossh.ServerConn, n gossh.NewChannel, ctx ssh.Context) {
				mu.Lock()
				full := open[c] >= h.options.MaxSessions
				if !full {
					open[c]++
				}
				now := open[c]
				mu.Unlock()
				if full {
					_ = n.Reject(gossh.ConnectionFailed, "open failed")
					return
				}
				h.count(func(c *Counts) { c.Channels++ })
				h.sys.Work.Go(func() {
					// The client knows of the end of a channel before we have counted it.
					time.Sleep(20 * time.Millisecond)
					mu.Lock()
					n := min(now, open[c])
					mu.Unlock()
					h.count(func(c *Counts) { c.AtOnce = max(c.AtOnce, n) })
				})
				ssh.DefaultSessionHandler(srv, c, newTTYChannel{n}, ctx)
				mu.Lock()
				if open[c]--; open[c] == 0 {
					delete(open, c)
				}
				mu.Unlock()
			},
		},
		SubsystemHandlers: map[string]ssh.SubsystemHandler{},
		// Keepalives are answered, like any global request that sshd does not know, with a refusal.
		RequestHandlers: map[string]ssh.RequestHandler{},
	}
	if l := h.options.Login; l.Refused || l.Password != "" || l.Challenge != nil {
		h.server.PublicKeyHandler = nil // see loginConfig
	}
	if !h.options.NoSFTP {
		h.server.SubsystemHandlers["sftp"] = func(s ssh.Session) {
			defer h.sys.Work.Begin()()
			h.count(func(c *Counts) { c.SFTP++ })
			h.serveSFTP(s, h.sys.Login(s.User()))
		}
	}
	if h.options.Silent {
		h.sys.Work.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				h.wrap(c)
			}
		})
		return nil
	}
	h.sys.Work.Go(func() { _ = h.server.Serve(l) })
	return nil
}

func (h *Host) count(f func(*Counts)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(&h.counts)
}

// session runs one command line in the user's login shell. It ends when the shell has ended and
// nobody holds its output any more; what goes on without a connection gets SIGPIPE when it writes.
func (h *Host) session(s ssh.Session) {
	defer h.sys.Work.Begin()()
	if h.sys.Alive().Err() != nil { // who closes the host waits for what was counted before
		return
	}
	h.count(func(c *Counts) { c.Execs++ })
	c, home := h.sys.Account(s.User())
	p := h.sys.NewProc(c, map[string]string{
		"HOME": home, "USER": s.User(), "LOGNAME": s.User(), "SHELL": h.options.LoginShell, "PWD": home,
		"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/games", "SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22",
	}, home)
	if c.UID == 0 {
		p.Env["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	for _, kv := range s.Environ() {
		if k, v, ok := strings.Cut(kv, "="); ok && (k == "LANG" || strings.HasPrefix(k, "LC_")) {
			p.Env[k] = v
		}
	}
	var outputs sync.WaitGroup
	output := func(w io.Writer) *unix.Desc {
		outputs.Add(1)
		d := unix.WriterDesc(w)
		d.OnClose(outputs.Done)
		return d
	}
	in, feed := unix.NewPipe()
	heard := h.options.Heard
	if heard == nil {
		heard = func([]byte) {}
	}
	var input io.Writer = feed.Writer()
	if term := s.Stderr().(ttyStderr).channel.tty; term != nil {
		in.Close()
		input = h.sys.Attach(term, p, &outputs)
	} else {
		p.FDs = map[int]*unix.Desc{0: in, 1: output(s), 2: output(s.Stderr())}
	}
	h.sys.Work.Go(func() {
		defer feed.Close()
		_, _ = io.Copy(input, io.TeeReader(s, hearing(heard)))
	})
	if u := p; c.UID != 0 {
		// Root's signals are refused by the sshd of most releases in use.
		signals := make(chan ssh.Signal, 8)
		s.Signals(signals)
		defer s.Signals(nil)
		h.sys.Work.Go(func() {
			for {
				select {
				case sig := <-signals:
					if v, ok := unix.ParseSignal(string(sig)); ok {
						targets, _ := h.sys.Targets(u, -u.Session)
						for _, t := range targets {
							t.Signal(v)
						}
					}
				case <-u.Done:
					return
				}
			}
		})
	}
	code := p.Program(func(p *unix.Proc) int { return h.loginShell(p, s.RawCommand()) })
	p.End()
	outputs.Wait()
	_ = s.Exit(code)
}

type hearing func([]byte)

func (f hearing) Write(b []byte) (int, error) { f(b); return len(b), nil }

// loginShell is the shell of the user's passwd entry with -c.
func (h *Host) loginShell(p *unix.Proc, line string) int {
	shell := h.options.LoginShell
	p.SetArgv([]string{shell, "-c", line})
	h.mu.Lock()
	h.commands = append(h.commands, Command{p.Argv, p.Cred.UID, p.Session})
	h.mu.Unlock()
	if h.options.Noise != "" {
		p.Printf("%s", h.options.Noise)
	}
	switch shell[strings.LastIndexByte(shell, '/')+1:] {
	case "nologin":
		p.Printf("This account is currently not available.\n")
		return 1
	case "false":
		return 1
	case "fish", "csh", "tcsh":
		// Only what means the same in every shell: words, and single quotes round plain text.
		words, ok := plainWords(line)
		if !ok {
			h.sys.Unknown(shell + " -c: not plain words: " + line)
			p.Errorf("%s: syntax error\n", shell)
			return 127
		}
		return p.Run(words, nil)
	default:
		return unix.RunShell(p, shell, h.options.LoginScript+"\n"+line)
	}
}

func plainWords(line string) ([]string, bool) {
	var out []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		word, rest, _ := strings.Cut(line, " ")
		special := "'\"\\$`!*?[]{}()<>|&;#^\n"
		if line[0] == '\'' {
			quoted, after, ok := strings.Cut(line[1:], "'")
			if !ok || after != "" && after[0] != ' ' {
				return nil, false
			}
			word, rest, special = quoted, after, "\\!\n"
		} else if word[0] == '~' {
			return nil, false
		}
		if strings.ContainsAny(word, special) {
			return nil, false
		}
		out, line = append(out, word), rest
	}
	return out, len(out) > 0
}
