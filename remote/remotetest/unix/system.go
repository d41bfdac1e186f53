// Package unix simulates one Linux system in this process: a file tree, users, processes with
// signals and descriptors, a POSIX shell, and the programs of coreutils and their neighbours.
//
// It is the lowest layer of package remotetest: it knows nothing of hosts, sshd, containers or what is
// installed. Whoever has a system gives it more programs, and looks at those that start, by [Options].
package unix

import (
	"context"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what a system is. Functions may be nil.
type Options struct {
	Name, Arch                      string
	MemoryMiB, DiskMiB, DiskUsedMiB int
	ClockOffset                     time.Duration

	// Speed is how many times faster than ours the system's time passes while programs work or sleep.
	Speed float64
	// MinTimeout is the least time of ours that `timeout` gives a command.
	MinTimeout time.Duration

	// Programs are what files of those names do when they are run; see [Programs].
	Programs map[string]func(*Proc) int
	// MayLack says that a system may or may not have a program, so that a script that looks for it is not wrong.
	MayLack func(name string) bool
	// Start is called for every program that is started, and may return what runs in its place.
	Start func(p *Proc) func(*Proc) int

	// Ports are those that processes of the system listen on, and Published returns those of others.
	Ports     []Port
	Published func() []Port
	// Routes returns what is routed beside the default, as "DEVICE CIDR".
	Routes func() []string
}

// Port is a TCP port that a process listens on.
type Port struct {
	Number  int
	Process string
}

// System is one simulated system. It is safe for concurrent use.
type System struct {
	Options
	Tree *Tree
	Work Work         // all that runs
	Held atomic.Int32 // programs that a test holds: meanwhile the time limits of others stand still

	mu       sync.Mutex
	boot     context.Context
	off      context.CancelFunc
	bootID   string
	offset   time.Duration
	procs    map[int]*Proc
	lastPID  int
	locks    map[*Node]*lock
	unknowns []string
}

// New is a system that is on and whose file tree is empty.
func New(o Options) *System {
	s := &System{Options: o, offset: o.ClockOffset, procs: map[int]*Proc{}, lastPID: 600, locks: map[*Node]*lock{}}
	s.Tree = newTree(s.Now, int64(o.DiskMiB-o.DiskUsedMiB)<<20)
	s.PowerOn()
	return s
}

// Layout fills the empty tree with what every system has, and with programs in /usr/bin.
func (s *System) Layout(programs []string) error {
	t := s.Tree
	for _, d := range []string{
		"/bin", "/etc", "/root", "/run", "/sbin", "/srv", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/local/bin", "/usr/local/sbin",
		"/var/lib", "/var/log", "/home", "/opt", "/mnt",
	} {
		if err := t.MkdirAll(d); err != nil {
			return err
		}
	}
	_ = t.Chmod(Cred{}, "/root", 0o700)
	for _, d := range []string{"/tmp", "/var/tmp", "/run/lock"} {
		_ = t.Mkdir(Cred{}, d, 0o755)
		_ = t.Chmod(Cred{}, d, 0o777|fs.ModeSticky)
	}
	_ = t.Symlink(Cred{}, "/run", "/var/run")
	for name, content := range map[string]string{
		"/etc/hostname": s.Name + "\n",
		"/etc/hosts":    "127.0.0.1\tlocalhost\n127.0.1.1\t" + s.Name + "\n",
		"/etc/passwd":   "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		"/etc/group":    "root:x:0:\nadm:x:4:\nsudo:x:27:\nnogroup:x:65534:\n",
	} {
		if err := t.WriteFile(name, content, 0o644); err != nil {
			return err
		}
	}
	s.kernelFiles()
	for _, p := range programs {
		s.AddProgram("/usr/bin/" + p)
	}
	for _, p := range []string{"sh", "bash", "true", "false"} {
		_ = t.Link(Cred{}, "/usr/bin/"+p, "/bin/"+p)
	}
	return nil
}

// binaryMark is what programs of the simulation hold in place of machine code.
const binaryMark = "\x7fELF simulated\n"

// AddProgram puts a file there that does what the program of its name does.
func (s *System) AddProgram(file string) { _ = s.Tree.WriteFile(file, binaryMark, 0o755) }

// PowerOn boots a system that is off.
func (s *System) PowerOn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boot, s.off = context.WithCancel(context.Background())
	s.bootID = RandomUUID()
}

// PowerOff ends every process. It does not wait for that.
func (s *System) PowerOff() {
	s.mu.Lock()
	off := s.off
	s.mu.Unlock()
	off()
}

// Alive ends when the system is switched off.
func (s *System) Alive() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.boot
}

// Now is the time by the system's clock.
func (s *System) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.offset)
}

// AdvanceClock moves the clock.
func (s *System) AdvanceClock(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

// ourTime is how much of our time passes in a time of the system's.
func (s *System) ourTime(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.Speed)
}

// Unknown records what the simulation lacks and was asked for.
func (s *System) Unknown(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unknowns = append(s.unknowns, what)
}

// Unknowns lists what [System.Unknown] recorded.
func (s *System) Unknowns() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.unknowns)
}

// missing records a program that is not there, unless it is one that a system may well lack.
func (s *System) missing(argv []string) {
	name := path.Base(argv[0])
	if s.Programs[name] == nil && (s.MayLack == nil || !s.MayLack(name)) {
		s.Unknown("command not simulated: " + strings.Join(argv, " "))
	}
}

// Process is one running process.
type Process struct {
	PID, PPID, UID int
	// Session is the process that this one descends from: what one login or service started has one.
	Session int
	Argv    []string
}

// Processes lists what runs now, by number.
func (s *System) Processes() []Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Process
	for _, pid := range slices.Sorted(maps.Keys(s.procs)) {
		p := s.procs[pid]
		out = append(out, Process{p.PID, p.PPID, p.Cred.UID, p.Session, slices.Clone(p.Argv)})
	}
	return out
}

// Targets are the processes that a kill(2) of n by p reaches.
func (s *System) Targets(p *Proc, n int) (out []*Proc, denied bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pid := range slices.Sorted(maps.Keys(s.procs)) {
		t := s.procs[pid]
		if n > 0 && t.PID != n || n < 0 && t.pgid != -n || n == 0 && t.pgid != p.pgid {
			continue
		}
		if p.Cred.UID != 0 && p.Cred.UID != t.Cred.UID {
			denied = true
			continue
		}
		out = append(out, t)
	}
	return out, denied && len(out) == 0
}
