package remotetest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// stdio is stdin, stdout and stderr. They unwind the program where a signal would have ended the real one.
type stdio struct {
	p *proc
	n int
}

func (p *proc) stdin() io.Reader { return stdio{p, 0} }

func (p *proc) stdout() io.Writer { return stdio{p, 1} }

func (p *proc) stderr() io.Writer { return stdio{p, 2} }

func (s stdio) Read(b []byte) (int, error) {
	d := s.p.fds[s.n]
	if d == nil || d.read == nil {
		return 0, syscall.EBADF
	}
	n, err := d.read(s.p.ctx, b)
	if errors.Is(err, syscall.EINTR) {
		panic(s.p.cause())
	}
	return n, err
}

func (s stdio) Write(b []byte) (int, error) {
	d := s.p.fds[s.n]
	if d == nil || d.write == nil {
		return 0, syscall.EBADF
	}
	if len(b) == 0 {
		return 0, nil
	}
	n, err := d.write(s.p.ctx, b)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, syscall.EINTR):
		panic(s.p.cause())
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EBADF):
		if s.n == 1 {
			s.p.fatalf(1, "write error: %s", strerror(err))
		}
		return n, err
	default: // a pipe without a reader, a connection that is gone
		if s.p.ignore[syscall.SIGPIPE] {
			return n, err
		}
		panic(killed(syscall.SIGPIPE))
	}
}

func (p *proc) printf(format string, args ...any) { fmt.Fprintf(p.stdout(), format, args...) }

func (p *proc) errorf(format string, args ...any) { fmt.Fprintf(p.stderr(), format, args...) }

// fatalf is the usual "name: message" and exit.
func (p *proc) fatalf(code int, format string, args ...any) {
	p.errorf("%s: %s\n", path.Base(p.argv[0]), fmt.Sprintf(format, args...))
	panic(exited(code))
}

// unsupported is for an option that the simulation lacks: the real program may well know it.
func (p *proc) unsupported(what string) {
	p.host.unknown(fmt.Sprintf("%s: %s", strings.Join(p.argv, " "), what))
	p.fatalf(2, "not simulated: %s", what)
}

func errnoOf(err error) syscall.Errno {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, fs.ErrNotExist) {
		return syscall.ENOENT
	}
	return syscall.EIO
}

// strerror words an error as the C library does.
func strerror(err error) string {
	switch e := errnoOf(err); e {
	case syscall.ENOTEMPTY:
		return "Directory not empty"
	case syscall.ELOOP:
		return "Too many levels of symbolic links"
	default:
		s := e.Error()
		return strings.ToUpper(s[:1]) + s[1:]
	}
}

// environ is the environment as env(1) prints it.
func (p *proc) environ() []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(p.env)) {
		out = append(out, k+"="+p.env[k])
	}
	return out
}

// readAll reads standard input or a file, for programs that need all of it.
func (p *proc) readAll(name string) ([]byte, error) {
	if name == "-" || name == "" {
		return io.ReadAll(p.stdin())
	}
	h, err := p.open(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(h)
}
