package remotetest

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// Options are what all hosts of a fleet share.
type Options struct {
	// Speed is how many times faster than ours the hosts' time passes while they work or sleep
	// (default 200). Their clocks still show our time plus [HostOptions.ClockOffset].
	Speed float64
	// MinTimeout is the least time of ours that `timeout` gives a command (default 10 s), so that a
	// busy machine is not taken for a hang.
	MinTimeout time.Duration
}

// Fleet is a set of simulated hosts that can reach each other. It is safe for concurrent use.
type Fleet struct {
	options Options
	key     gossh.Signer
	pem     []byte

	engines sync.Mutex // guards the containers of all hosts; taken before any other lock

	docker map[string]dockerCommand // the client's commands

	mu       sync.Mutex
	handlers []func(Call) (int, bool)
	hosts    map[string]*Host
	images   map[string]bool // what registries hold; nil: everything that looks like a reference
	registry error

	databases []*Database // elsewhere
}

// NewFleet makes an empty fleet with a fresh client key. It panics only if the system has no
// randomness.
func NewFleet(o Options) *Fleet {
	o.Speed, o.MinTimeout = cmp.Or(o.Speed, 200), cmp.Or(o.MinTimeout, 10*time.Second)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	signer, err := gossh.NewSignerFromKey(key)
	if err != nil {
		panic(err)
	}
	block, err := gossh.MarshalPrivateKey(key, "remotetest")
	if err != nil {
		panic(err)
	}
	return &Fleet{options: o, key: signer, pem: pem.EncodeToMemory(block), docker: dockerCommands(), hosts: map[string]*Host{}}
}

// ClientKeyPEM is the private key with which every host lets its user in.
func (f *Fleet) ClientKeyPEM() []byte { return slices.Clone(f.pem) }

// Host boots a host and starts to listen. The name is its hostname.
func (f *Fleet) Host(name string, o HostOptions) (*Host, error) {
	h, err := newHost(f, name, o)
	if err != nil {
		return nil, fmt.Errorf("boot %s: %w", name, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hosts[name] = h
	return h, nil
}

// Hosts are all hosts by name.
func (f *Fleet) Hosts() []*Host {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*Host
	for _, k := range slices.Sorted(maps.Keys(f.hosts)) {
		out = append(out, f.hosts[k])
	}
	return out
}

// KnownHosts is a known_hosts file with the keys of all hosts.
func (f *Fleet) KnownHosts() string {
	out := ""
	for _, h := range f.Hosts() {
		out += h.KnownHostsLine() + "\n"
	}
	return out
}

// Unknown is what [Host.Unknown] says, for all hosts.
func (f *Fleet) Unknown() []string {
	var out []string
	for _, h := range f.Hosts() {
		for _, u := range h.Unknown() {
			out = append(out, h.name+": "+u)
		}
	}
	return out
}

// Close powers off all hosts and waits for everything that runs on them.
func (f *Fleet) Close() {
	var wg sync.WaitGroup
	for _, h := range f.Hosts() {
		wg.Go(h.Close)
	}
	wg.Wait()
	f.mu.Lock()
	databases := slices.Clone(f.databases)
	f.mu.Unlock()
	for _, d := range databases {
		d.close()
	}
}
