package unix

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
	p *Proc
	n int
}

// Stdin reads descriptor 0.
func (p *Proc) Stdin() io.Reader { return stdio{p, 0} }

// Stdout writes to descriptor 1.
func (p *Proc) Stdout() io.Writer { return stdio{p, 1} }

// Stderr writes to descriptor 2.
func (p *Proc) Stderr() io.Writer { return stdio{p, 2} }

func (s stdio) Read(b []byte) (int, error) {
	d := s.p.FDs[s.n]
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
	d := s.p.FDs[s.n]
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
			s.p.Fatalf(1, "write error: %s", Strerror(err))
		}
		return n, err
	default: // a pipe without a reader, a connection that is gone
		if s.p.ignore[syscall.SIGPIPE] {
			return n, err
		}
		panic(killed(syscall.SIGPIPE))
	}
}

// Stream is standard input and output for a protocol that a library speaks, which takes errors and not signals.
func (p *Proc) Stream() io.ReadWriteCloser { return stream{p} }

type stream struct{ p *Proc }

func (s stream) Read(b []byte) (int, error)  { return s.p.FDs[0].read(s.p.ctx, b) }
func (s stream) Write(b []byte) (int, error) { return s.p.FDs[1].write(s.p.ctx, b) }
func (s stream) Close() error                { return nil }

// Printf prints to standard output.
func (p *Proc) Printf(format string, args ...any) { fmt.Fprintf(p.Stdout(), format, args...) }

// Errorf prints to standard error.
func (p *Proc) Errorf(format string, args ...any) { fmt.Fprintf(p.Stderr(), format, args...) }

// Fatalf is the usual "name: message" and exit.
func (p *Proc) Fatalf(code int, format string, args ...any) {
	p.Errorf("%s: %s\n", path.Base(p.Argv[0]), fmt.Sprintf(format, args...))
	panic(Exited(code))
}

// Unsupported is for an option that the simulation lacks: the real program may well know it.
func (p *Proc) Unsupported(what string) {
	p.sys.Unknown(fmt.Sprintf("%s: %s", strings.Join(p.Argv, " "), what))
	p.Fatalf(2, "not simulated: %s", what)
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

// Strerror words an error as the C library does.
func Strerror(err error) string {
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
func (p *Proc) environ() []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(p.Env)) {
		out = append(out, k+"="+p.Env[k])
	}
	return out
}

// ReadAll reads standard input or a file, for programs that need all of it.
func (p *Proc) ReadAll(name string) ([]byte, error) {
	if name == "-" || name == "" {
		return io.ReadAll(p.Stdin())
	}
	h, err := p.Open(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(h)
}
