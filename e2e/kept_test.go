//go:build linux && e2e

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"sync"
	"testing"
	"time"

	"provision/e2e/lab"
)

// siteKind is a kind of site that is brought up from blank hosts once, and from which scenarios that
// need no blank host begin: the stack of an empty stack.toml of its generation runs on it.
type siteKind struct {
	name  string
	hosts []lab.HostOptions

	made chan struct{} // closed when a scenario that makes one has kept it or has ended; nil where none does
	once sync.Once
}

func splitSite(name string) *siteKind {
	return &siteKind{name: name, hosts: []lab.HostOptions{{Name: "prefect"}, {Name: "worker-1"}}}
}

func (k *siteKind) begin() { k.made = make(chan struct{}) }

func (k *siteKind) end() {
	if k.made != nil {
		k.once.Do(func() { close(k.made) })
	}
}

// await waits for the scenario that makes a site of this kind, if there is one.
func (k *siteKind) await(t *testing.T) {
	t.Helper()
	if k.made == nil {
		return
	}
	select {
	case <-k.made:
	case <-t.Context().Done():
		t.Fatal(context.Cause(t.Context()))
	}
}

// keptSite is a split site of a generation on which the stack runs. Where none is kept it is brought up, and kept.
func keptSite(t *testing.T, name string, of *generation) (*site, []*lab.Host) {
	t.Helper()
	kind := of.split
	kind.await(t)
	s := emptySite(t, name, of)
	start := time.Now()
	hosts, err := s.lab.Restore(t.Context(), kind.name, builtFrom())
	if err != nil {
		t.Fatal(err)
	}
	if len(hosts) == 0 {
		for _, o := range kind.hosts {
			if _, err := s.lab.Host(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		s.writeInventory()
		s.databaseAuthority()
		s.apply()
		s.again(len(kind.hosts))
		s.keep(kind)
		return s, s.lab.Hosts()
	}
	t.Logf("a %s site is restored after %s", kind.name, time.Since(start).Round(time.Second))
	s.writeInventory()
	s.databaseAuthority() // as where it was made: with another list of authorities all images would be built again
	s.apply()             // waits for what the boot starts, and tells the stack where an address is another one
	t.Logf("and ready after %s", time.Since(start).Round(time.Second))
	return s, hosts
}

// keep has later scenarios begin with what runs on this site, which has to be the stack of an empty stack.toml of its generation.
func (s *site) keep(kind *siteKind) {
	s.Helper()
	start := time.Now()
	if err := s.lab.Snapshot(s.Context(), kind.name, builtFrom()); err != nil {
		s.Fatal(err)
	}
	kind.end()
	s.Logf("a %s site is kept after %s", kind.name, time.Since(start).Round(time.Second))
}

// builtFrom names the program that the scenarios run: what another one has brought up is not begun with.
var builtFrom = sync.OnceValue(func() string {
	program, err := os.ReadFile(binary)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(program)
	return hex.EncodeToString(sum[:6])
})
