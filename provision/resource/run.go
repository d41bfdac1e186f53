package resource

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
)

// Host is where changes of one machine are carried out: a root shell that holds the machine's
// lock, and a private place to stage files in.
type Host interface {
	// Sh runs a POSIX sh script in the apply shell and returns its standard output. Each line of
	// output is shown as progress.
	Sh(ctx context.Context, script string) (string, error)
	// Get is Sh for a value: its output is shown nowhere.
	Get(ctx context.Context, script string) (string, error)
	// Stage puts content into a new private file and returns its path, which root may read. What
	// is staged is removed at the end of the run.
	Stage(ctx context.Context, name string, content []byte) (path string, err error)
}

// Run is what a change may use. It is safe for concurrent use.
type Run struct {
	// Host opens, once, the apply shell of a host.
	Host func(ctx context.Context, name string) (Host, error)
	// Resources finds the owner of a value.
	Resources map[ID]Resource
	// OnNote shows a line to the operator. It may be nil.
	OnNote func(host, line string)
	// OnProgress shows how far a change of the cloud account has come. It may be nil.
	OnProgress func(id ID, line string)
	// Account is the cloud account, which the kinds of that cloud alone know; nil where the inventory has none.
	Account any
	// Redial connects to a droplet that was switched off and on, as soon as it answers, and locks it.
	Redial func(ctx context.Context, host string) error
	// VerifyHostKey dials the droplet again and fails unless it presents the host key with this fingerprint.
	VerifyHostKey func(ctx context.Context, host, sum string) error

	mu     sync.Mutex
	values map[ID]Secret
}

// Sh runs a script on a host, with the prelude of changes.
func (r *Run) Sh(ctx context.Context, host, script string) (string, error) {
	h, err := r.Host(ctx, host)
	if err != nil {
		return "", err
	}
	return h.Sh(ctx, scripts.With("change")+script)
}

// Get reads a value by a script on a host. What it prints is shown nowhere.
func (r *Run) Get(ctx context.Context, host, script string) (string, error) {
	h, err := r.Host(ctx, host)
	if err != nil {
		return "", err
	}
	return h.Get(ctx, scripts.With("change")+script)
}

// Stage puts content into a private file on the host.
func (r *Run) Stage(ctx context.Context, host, name string, content []byte) (string, error) {
	h, err := r.Host(ctx, host)
	if err != nil {
		return "", err
	}
	return h.Stage(ctx, name, content)
}

// Value reads a late value from the resource that owns it. It is kept in memory until the run ends.
func (r *Run) Value(ctx context.Context, id ID) (Secret, error) {
	r.mu.Lock()
	s, ok := r.values[id]
	r.mu.Unlock()
	if ok {
		return s, nil
	}
	owner, ok := r.Resources[id].(Valuer)
	if !ok {
		return Secret{}, fmt.Errorf("%s on %s has no value to copy", id, id.Host)
	}
	s, err := owner.Read(ctx, r)
	if err != nil {
		return Secret{}, err
	}
	r.keep(id, s)
	return s, nil
}

func (r *Run) keep(id ID, s Secret) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.values == nil {
		r.values = map[ID]Secret{}
	}
	r.values[id] = s
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails (crypto/rand aborts the program instead)
	return hex.EncodeToString(b)
}

func (r *Run) forget(id ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.values, id)
}

// newUUID makes a random (version 4) UUID.
func newUUID() string {
	b := make([]byte, 16)
	rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Note tells the operator something that a change found out.
func (r *Run) Note(host, format string, args ...any) {
	if r.OnNote != nil {
		r.OnNote(host, fmt.Sprintf(format, args...))
	}
}

// Progress shows how far a change of the cloud account has come.
func (r *Run) Progress(id ID, format string, args ...any) {
	if r.OnProgress != nil {
		r.OnProgress(id, fmt.Sprintf(format, args...))
	}
}
