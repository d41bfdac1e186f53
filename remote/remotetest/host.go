package remotetest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"

	"provision/remote/remotetest/unix"
)

// Privilege is how the login user becomes root.
type Privilege int

const (
	SudoNoPassword Privilege = iota // passwordless sudo
	SudoPassword                    // sudo asks for HostOptions.Password
	SudoDenied                      // sudo is there and refuses
	SudoMissing                     // there is no sudo
)

// HostOptions describe one machine. The zero value is a blank Debian 13 with user root.
type HostOptions struct {
	Distro     string // "debian 13" (default), "debian 12", "ubuntu 24.04", "alpine 3.22", "rocky 9", "fedora 42"
	Arch       string // default x86_64
	User       string // who logs in; default root
	Privilege  Privilege
	Password   string // for sudo
	HostKey    []byte // private one in PEM, as user data brings it; default a fresh one
	LoginShell string // default /bin/sh; /usr/bin/fish, /bin/csh, /usr/sbin/nologin
	Noise      string // printed by every login shell before anything else
	// LoginScript is run by a login shell before the command, as bash runs ~/.bashrc.
	LoginScript string
	Login       Login // what sshd wants and refuses beside the key
	NoSFTP      bool  // neither the subsystem nor its program
	Silent      bool  // TCP connections are taken and nothing is ever said
	// Heard is given what comes in on the exec channels, scripts above all, as it comes.
	Heard func(text []byte)
	// SFTPSize changes what the SFTP server says of a file's size.
	SFTPSize func(path string, size int64) int64

	Address     string        // to listen on; default 127.0.0.1, and a free port there
	Latency     time.Duration // of one round trip
	MaxSessions int           // default 10, as sshd has it
	ClockOffset time.Duration

	DiskMiB, DiskUsedMiB int // default 40960 and 2048
	MemoryMiB            int // default 4096
	Ports                []Port
	Addresses            []string // by which other hosts' containers reach this one, if that matters
	Interfaces           []string // routes in CIDR form beside the default one, e.g. "10.0.0.0/24"

	// Docker puts an engine there before anyone logs in: "" none, "running", "stopped", "23" (the oldest
	// that is used, running), "old" (20.10 without Compose).
	Docker string
	// CloudInit is how often `cloud-init status` says that it is still running; 0: there is none.
	CloudInit int
}

// IP is the address that sshd listens on.
func (h *Host) IP() string { return h.addr.IP.String() }

// Port is a TCP port that something else listens on.
type Port = unix.Port

// Info describes one file of a simulated host.
type Info = unix.Info

// Host is one simulated machine. It is safe for concurrent use.
type Host struct {
	fleet    *Fleet
	name     string
	options  HostOptions
	sys      *unix.System
	key      gossh.Signer
	server   *ssh.Server
	listener net.Listener
	addr     *net.TCPAddr

	mu           sync.Mutex
	conns        map[net.Conn]bool
	counts       Counts
	commands     []Command
	failures     []*Failure
	replaced     map[string]func(Call) int
	cutAfter     int64
	packages     map[string]string // name to status: "installed", "half-configured"
	units        map[string]*unit
	lists        bool // apt-get update ran
	cloudInit    int
	docker       *docker
	hole         bool   // see OpenHole; the engines' lock guards this and the next
	runsEnd      string // see EndRuns
	versions     map[string]string
	mirror       error
	crashes      map[string]crash
	healthDelays map[string]time.Duration
	inside       map[string]func(*proc) int // by name, programs in containers of the stack
	disks        map[string]*Disk           // attached, by device
	rules        map[string]bool            // of iptables
	ruleset      string                     // of nftables

	dockerRepository *DockerRepository
	dockerLists      bool // apt-get update read it
}

func newHost(f *Fleet, name string, o HostOptions) (*Host, error) {
	o.Distro = cmp.Or(o.Distro, "debian 13")
	o.Arch = cmp.Or(o.Arch, "x86_64")
	o.User = cmp.Or(o.User, "root")
	o.LoginShell = cmp.Or(o.LoginShell, "/bin/sh")
	o.Address = cmp.Or(o.Address, "127.0.0.1")
	o.MaxSessions = cmp.Or(o.MaxSessions, 10)
	o.DiskMiB, o.DiskUsedMiB, o.MemoryMiB = cmp.Or(o.DiskMiB, 40960), cmp.Or(o.DiskUsedMiB, 2048), cmp.Or(o.MemoryMiB, 4096)
	h := &Host{
		fleet: f, name: name, options: o, conns: map[net.Conn]bool{}, packages: map[string]string{}, crashes: map[string]crash{}, replaced: map[string]func(Call) int{},
		healthDelays: map[string]time.Duration{}, units: map[string]*unit{}, cloudInit: o.CloudInit, inside: stackPrograms(),
	}
	h.sys = unix.New(unix.Options{
		Name: name, Arch: o.Arch, MemoryMiB: o.MemoryMiB, DiskMiB: o.DiskMiB, DiskUsedMiB: o.DiskUsedMiB, ClockOffset: o.ClockOffset,
		Speed: f.options.Speed, MinTimeout: f.options.MinTimeout,
		Programs: h.programs(), MayLack: mayLack, Start: h.start,
		Ports: append([]Port{{Number: 22, Process: "sshd"}}, o.Ports...), Published: h.publishedPorts, Routes: h.routes,
	})
	if err := h.install(); err != nil {
		return nil, err
	}
	return h, h.listen()
}

// Name is the hostname.
func (h *Host) Name() string { return h.name }

// Addr is the address and port that SSH listens on; Port is its port alone.
func (h *Host) Addr() string { return h.addr.String() }

// Port is the port that SSH listens on.
func (h *Host) Port() int { return h.addr.Port }

// User is the login user.
func (h *Host) User() string { return h.options.User }

// HostKey is the host's public key as it stands in known_hosts, without the name.
func (h *Host) HostKey() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.TrimSpace(string(gossh.MarshalAuthorizedKey(h.key.PublicKey())))
}

// KnownHostsLine is the host's line of a known_hosts file.
func (h *Host) KnownHostsLine() string {
	return fmt.Sprintf("[%s]:%d %s", h.addr.IP, h.addr.Port, h.HostKey())
}

// ReadFile reads a file as root.
func (h *Host) ReadFile(name string) ([]byte, error) { return h.sys.Tree.ReadFile(name) }

// WriteFile writes a file as root, with its directories, as a neighbour on the host would.
func (h *Host) WriteFile(name, content string, mode fs.FileMode) error {
	return h.sys.Tree.WriteFile(name, content, mode)
}

// Chown sets owner and group of a file.
func (h *Host) Chown(name string, uid, gid int) error {
	return h.sys.Tree.Chown(unix.Cred{}, name, uid, gid, false)
}

// Remove removes a file or a directory with all that it holds.
func (h *Host) Remove(name string) { h.sys.Tree.RemoveAll(name) }

// Stat describes a file without following a last link.
func (h *Host) Stat(name string) (Info, error) { return h.sys.Tree.Stat(unix.Cred{}, name, false) }

// Files lists all paths below a directory, sorted, without the directory itself.
func (h *Host) Files(dir string) []Info {
	var out []Info
	infos, _ := h.sys.Tree.ReadDir(unix.Cred{}, dir)
	for _, i := range infos {
		i.Path = path.Join(dir, i.Path)
		out = append(out, i)
		if i.IsDir() {
			out = append(out, h.Files(i.Path)...)
		}
	}
	return out
}

// Disconnect cuts all connections now; what runs on the host goes on.
func (h *Host) Disconnect() {
	h.mu.Lock()
	open := slices.Collect(maps.Keys(h.conns))
	h.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
}

// AdvanceClock moves the host's clock.
func (h *Host) AdvanceClock(d time.Duration) {
	h.sys.AdvanceClock(d)
}

// Reboot ends every process and connection, clears what lives in memory and starts the enabled
// units and the containers with a restart policy.
func (h *Host) Reboot() {
	h.docker.powerOff()
	h.Disconnect()
	h.sys.PowerOff()
	for _, dir := range []string{"/tmp", "/run"} {
		infos, _ := h.sys.Tree.ReadDir(unix.Cred{}, dir)
		for _, i := range infos {
			h.sys.Tree.RemoveAll(path.Join(dir, i.Path))
		}
	}
	_ = h.sys.Tree.Mkdir(unix.Cred{}, "/run/lock", 0o777|fs.ModeSticky)
	h.mu.Lock()
	h.rules = nil
	h.mu.Unlock()
	h.sys.PowerOn()
	h.bootDisks()
	h.readHostKey()
	h.bootUnits()
}

// Unplug takes the host off the network: what runs on it goes on, connections end, new ones are refused.
func (h *Host) Unplug() {
	h.stopListening()
	h.Disconnect()
}

func (h *Host) stopListening() {
	h.mu.Lock()
	l := h.listener
	h.mu.Unlock()
	_ = l.Close()
}

// Plug puts an unplugged host back where it was.
func (h *Host) Plug() error {
	l, err := net.Listen("tcp", h.addr.String())
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.listener = l
	h.mu.Unlock()
	h.sys.Work.Go(func() { _ = h.server.Serve(l) })
	return nil
}

// Close powers the host off and waits for everything that runs on it.
func (h *Host) Close() {
	h.docker.powerOff()
	h.sys.PowerOff()
	h.stopListening()
	_ = h.server.Close()
	h.Disconnect()
	h.sys.Work.Wait()
}

// OwnAddress as an address of a host to listen on is one that no other host has, of this process or of another, and OwnPort
// there: so that an ssh_config can say where such hosts are before there are any.
const (
	OwnAddress = "127.*"
	OwnPort    = 2222
)

func (h *Host) listen() error {
	l, err := listenOn(h.options.Address)
	if err != nil {
		return err
	}
	h.listener, h.addr = l, l.Addr().(*net.TCPAddr)
	return h.serve(l)
}

func listenOn(address string) (net.Listener, error) {
	if address != OwnAddress {
		return net.Listen("tcp", net.JoinHostPort(address, "0"))
	}
	for {
		ip := net.IPv4(127, byte(16+rand.IntN(200)), byte(rand.IntN(256)), byte(1+rand.IntN(250)))
		l, err := net.Listen("tcp", net.JoinHostPort(ip.String(), strconv.Itoa(OwnPort)))
		if !errors.Is(err, syscall.EADDRINUSE) {
			return l, err
		}
	}
}
