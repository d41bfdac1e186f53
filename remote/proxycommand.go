package remote

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// proxyConn is a connection over the standard input and output of a ProxyCommand.
type proxyConn struct {
	command string // with its tokens replaced
	cmd     *exec.Cmd
	in      *os.File // what it reads
	out     *os.File // what it writes
	said    saying   // its standard error
	ended   chan struct{}
	err     error // how it ended
	once    sync.Once
}

// saying keeps the end of what a program writes.
type saying struct {
	mu sync.Mutex
	tail
}

func (s *saying) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = 4 << 10
	s.add(p)
	return len(p), nil
}

func (s *saying) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tail.String()
}

// startProxy runs the hop's ProxyCommand as ssh does: by the user's shell, which
// the command replaces.
func startProxy(h *hop) (*proxyConn, error) {
	command, err := expandTokens(h.proxyCommand, map[byte]string{
		'h': h.host, 'k': h.keyAlias(), 'n': h.alias, 'p': strconv.Itoa(h.port), 'r': h.user,
	}, false)
	if err != nil {
		return nil, fmt.Errorf("ProxyCommand %w", err)
	}
	p := &proxyConn{command: command, ended: make(chan struct{})}
	p.cmd = exec.Command(cmp.Or(os.Getenv("SHELL"), "/bin/sh"), "-c", "exec "+command)
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		_, _ = theirIn.Close(), in.Close()
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	p.in, p.out = in, out
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirIn, theirOut, &p.said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = time.Second
	err = p.cmd.Start()
	_, _ = theirIn.Close(), theirOut.Close()
	if err != nil {
		_, _ = in.Close(), out.Close()
		return nil, fmt.Errorf("ProxyCommand %s: %w", command, err)
	}
	go func() {
		if err := p.cmd.Wait(); !errors.Is(err, exec.ErrWaitDelay) {
			p.err = err
		}
		close(p.ended)
	}()
	return p, nil
}

func (p *proxyConn) Read(b []byte) (int, error)  { return p.out.Read(b) }
func (p *proxyConn) Write(b []byte) (int, error) { return p.in.Write(b) }

// Close ends the command and everything that it started, and waits for it.
func (p *proxyConn) Close() error {
	p.once.Do(func() {
		_ = p.in.Close()
		p.signal(syscall.SIGHUP) // as ssh does
		select {
		case <-p.ended:
		case <-time.After(200 * time.Millisecond):
		}
		p.signal(syscall.SIGKILL)
		<-p.ended
		_ = p.out.Close()
	})
	return nil
}

func (p *proxyConn) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

func (p *proxyConn) LocalAddr() net.Addr                { return proxyAddr(p.command) }
func (p *proxyConn) RemoteAddr() net.Addr               { return proxyAddr(p.command) }
func (p *proxyConn) SetReadDeadline(t time.Time) error  { return p.out.SetReadDeadline(t) }
func (p *proxyConn) SetWriteDeadline(t time.Time) error { return p.in.SetWriteDeadline(t) }
func (p *proxyConn) SetDeadline(t time.Time) error {
	return errors.Join(p.out.SetReadDeadline(t), p.in.SetWriteDeadline(t))
}

// proxyAddr names the command instead of an address.
type proxyAddr string

func (proxyAddr) Network() string  { return "ProxyCommand" }
func (a proxyAddr) String() string { return "ProxyCommand " + string(a) }

// explainProxy adds what the command did to an error of its connection.
func (hs *handshake) explainProxy(e *Error) {
	if hs.hop.proxyCommand == "" || e.Kind != Unreachable {
		return
	}
	lines := []string{"ProxyCommand " + hs.hop.proxyCommand}
	if p := hs.proxy; p != nil {
		lines[0] = "ProxyCommand " + p.command
		select {
		case <-p.ended: // by itself, or with the connection
			if said := strings.TrimSpace(p.said.String()); said != "" {
				lines = append(lines, said)
			}
			var exit *exec.ExitError
			if errors.As(p.err, &exit) && exit.ExitCode() > 0 {
				e.Err = fmt.Errorf("ProxyCommand ended with status %d", exit.ExitCode())
			} else if errors.Is(e.Err, io.EOF) || errors.Is(e.Err, syscall.EPIPE) {
				e.Err = errors.New("ProxyCommand ended without a connection")
			}
		default:
		}
	}
	if e.Evidence != "" {
		lines = append(lines, e.Evidence)
	}
	e.Evidence, e.Hint = Sanitize(strings.Join(lines, "\n")), "check ProxyCommand in ssh_config\n"+hs.sshLine()
}
