//go:build linux

package lab

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Log receives one line at a time, without a newline. It may be called from
// several goroutines.
type Log func(format string, args ...any)

// Options of a lab.
type Options struct {
	Name string // default: test-PID. No two labs have the same
	Keep bool   // the lab outlives this process, until Open and Close
	Log  Log    // default: silence
	// ImageSets are the images that its mirror serves and its hosts get: some of
	// ImageSets(). Default: those of generation 2.
	ImageSets []string
}

// Lab is a set of hosts with one client key. Its methods may be called at the
// same time.
type Lab struct {
	Name           string
	Keep           bool
	IdentityFile   string // the client's private key, accepted by root and every user
	KnownHostsFile string // of all hosts made so far
	Port           int    // of the image mirror
	ImageSets      []string

	dir     string
	log     Log
	machine machine
	unlock  func()

	mu     sync.Mutex
	hosts  []*Host
	server *http.Server // of the image mirror, if this process serves it
}

var validName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}$`)

// globalLock covers what labs share: names, addresses, ports, the bridge.
func globalLock(ctx context.Context) (func(), error) {
	return flock(ctx, filepath.Join(stateDir(), "lock"))
}

// New makes a lab and the network it needs. Whatever a killed process left of a
// lab that was not to be kept is removed first.
func New(ctx context.Context, o Options) (*Lab, error) {
	if missing := Missing(); missing != "" {
		return nil, errors.New(missing)
	}
	if o.Name == "" {
		o.Name = "test-" + strconv.Itoa(os.Getpid())
	}
	if !validName.MatchString(o.Name) {
		return nil, fmt.Errorf("%q is no name for a lab", o.Name)
	}
	m, err := thisMachine()
	if err != nil {
		return nil, err
	}
	sets, err := chosenSets(o.ImageSets)
	if err != nil {
		return nil, err
	}
	unlock, err := globalLock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := reap(ctx, o.Log); err != nil {
		return nil, fmt.Errorf("removing the labs of killed processes: %w", err)
	}
	l := &Lab{Name: o.Name, Keep: o.Keep, ImageSets: sets, machine: m}
	l.place(o.Log)
	if _, err := os.Stat(l.dir); err == nil {
		return nil, fmt.Errorf("there is a lab %q already", l.Name)
	}
	if err := networkUp(ctx); err != nil {
		return nil, fmt.Errorf("making the lab's network: %w", err)
	}
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return nil, err
	}
	if err := l.own(ctx); err != nil {
		return nil, err
	}
	if err := l.furnish(ctx); err != nil {
		return nil, errors.Join(err, l.remove(ctx))
	}
	return l, nil
}

// furnish gives the lab what its hosts get. The caller holds the global lock.
func (l *Lab) furnish(ctx context.Context) error {
	if err := keygen(ctx, l.IdentityFile, "ed25519", "lab-"+l.Name); err != nil {
		return err
	}
	if err := makeCertificate(l.dir); err != nil {
		return fmt.Errorf("making the mirror's certificate: %w", err)
	}
	names, err := Names()
	if err != nil {
		return err
	}
	taken := map[int]bool{}
	for _, name := range names {
		if other, err := read(filepath.Join(labsDir(), name), nil); err == nil {
			taken[other.Port] = true
		}
	}
	for l.Port = 5000; taken[l.Port]; {
		l.Port++
	}
	return l.save()
}

// Open returns a kept lab.
func Open(ctx context.Context, name string, log Log) (*Lab, error) {
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("%q is no name for a lab", name)
	}
	m, err := thisMachine()
	if err != nil {
		return nil, err
	}
	l, err := read(filepath.Join(labsDir(), name), log)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no lab %q", name)
	}
	if err != nil {
		return nil, err
	}
	if !l.Keep {
		return nil, fmt.Errorf("the lab %q belongs to a running test", name)
	}
	l.machine = m
	return l, nil
}

// Names are the labs there are, running tests' included.
func Names() ([]string, error) {
	entries, err := os.ReadDir(labsDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

func labsDir() string { return filepath.Join(stateDir(), "labs") }

// place fills in what follows from the name.
func (l *Lab) place(log Log) {
	l.log = log
	if l.log == nil {
		l.log = func(string, ...any) {}
	}
	l.dir = filepath.Join(labsDir(), l.Name)
	l.IdentityFile = filepath.Join(l.dir, "id_ed25519")
	l.KnownHostsFile = filepath.Join(l.dir, "known_hosts")
}

// Dir is the lab's own directory: it goes with the lab.
func (l *Lab) Dir() string { return l.dir }

// own marks a lab that is not kept as that of a living process.
func (l *Lab) own(ctx context.Context) error {
	if l.Keep {
		l.unlock = func() {}
		return nil
	}
	unlock, err := flock(ctx, filepath.Join(l.dir, "owner"))
	l.unlock = unlock
	return err
}

func (l *Lab) save() error {
	return saveJSON(filepath.Join(l.dir, "lab.json"), l)
}

func saveJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// read gives the lab that is recorded in a directory, with its hosts.
func read(dir string, log Log) (*Lab, error) {
	l := &Lab{Name: filepath.Base(dir), unlock: func() {}}
	b, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, l); err != nil {
		return nil, fmt.Errorf("reading the lab in %s: %w", dir, err)
	}
	if len(l.ImageSets) == 0 { // of a lab from before there were several
		l.ImageSets = defaultImageSets
	}
	l.place(log)
	paths, err := filepath.Glob(filepath.Join(dir, "hosts/*/host.json"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		h := &Host{lab: l}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, h); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		h.dir = filepath.Dir(path)
		l.hosts = append(l.hosts, h)
	}
	inOrder(l.hosts)
	return l, nil
}

// inOrder has hosts in the order in which they were made: an address that was free may be below those before it.
func inOrder(hosts []*Host) {
	slices.SortFunc(hosts, func(a, b *Host) int { return cmp.Or(a.Number-b.Number, a.octet()-b.octet()) })
}

// Hosts are the hosts made so far, in that order.
func (l *Lab) Hosts() []*Host {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.hosts)
}

// reap removes the labs that were to die with a process that is gone. The
// caller holds the global lock.
func reap(ctx context.Context, log Log) error {
	names, err := Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		dir := filepath.Join(labsDir(), name)
		l, err := read(dir, log)
		if err != nil { // killed before its record was written, and so before its first host
			l = &Lab{Name: name}
			l.place(log)
		}
		if l.Keep || !ownerGone(dir) {
			continue
		}
		l.log("removing the lab %s, whose process is gone", name)
		if err := l.remove(ctx); err != nil {
			return err
		}
	}
	return nil
}

func ownerGone(dir string) bool {
	f, err := os.Open(filepath.Join(dir, "owner"))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer func() { _ = f.Close() }()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// Close removes the lab: hosts, disks, keys, and with the last lab the network.
func (l *Lab) Close(ctx context.Context) error {
	unlock, err := globalLock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return l.remove(ctx)
}

func (l *Lab) remove(ctx context.Context) error {
	defer func() {
		if l.unlock != nil {
			l.unlock()
		}
	}()
	errs := []error{l.stopMirror(ctx)}
	for _, h := range l.Hosts() {
		errs = append(errs, h.Kill(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := l.removeDisks(ctx); err != nil {
		return err
	}
	if err := removeTree(l.dir); err != nil {
		return fmt.Errorf("removing the lab %s: %w", l.Name, err)
	}
	left, err := Names()
	if err != nil || len(left) > 0 {
		return err
	}
	return errors.Join(networkDown(ctx), prune())
}

// reserve makes the host's directory and gives it the address that it wishes, or the first free one.
func (l *Lab) reserve(ctx context.Context, h *Host) error {
	unlock, err := globalLock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(h.dir); err == nil {
		return fmt.Errorf("the lab %s has a host %q already", l.Name, h.Name)
	}
	taken := map[string]bool{}
	paths, err := filepath.Glob(filepath.Join(labsDir(), "*/hosts/*/host.json"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		var other Host
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, &other); err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		taken[other.Address] = true
		for _, address := range other.Apart {
			taken[address] = true
		}
	}
	for octet := 11; h.Address == "" || taken[h.Address]; octet++ {
		if octet == 255 {
			return errors.New("all addresses of the lab's network are taken")
		}
		h.Address = prefix + strconv.Itoa(octet)
	}
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return err
	}
	return h.save()
}

func (h *Host) octet() int {
	n, _ := strconv.Atoi(strings.TrimPrefix(h.Address, prefix))
	return n
}

// within bounds an operation on a host that has no reason to take long.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}
