package remote

import (
	"bytes"
	"context"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/semaphore"
)

// Target says how to reach one machine. Empty fields come from the user's
// ssh_config, looked up by Address as ssh would, then from OpenSSH's defaults.
type Target struct {
	Name         string // shown in errors; "" = Address
	Address      string // name, IPv4 or IPv6 literal (with or without brackets), or a Host of ssh_config
	Port         int
	User         string
	IdentityFile string // offered first
	KnownHosts   string // replaces the user's known_hosts files; the global ones still count
	HostKey      string // pinned: "ssh-ed25519 AAAA..."; then known_hosts only matters for @revoked

	// HostKeySums are pinned, too, as hexadecimal SHA-256 of ed25519 keys, for machines whose keys are
	// known by their fingerprints alone; any of them will do. HostKey is then not looked at.
	HostKeySums []string

	// HostKeyChecking is "strict" (default) or "accept-new": an unknown key is
	// added to known_hosts, a changed one is refused all the same.
	HostKeyChecking string

	// Jump is [user@]host[:port][,...]: machines to pass through, first one
	// first. Each is resolved, verified and logged in to like a target of its
	// own, with this target's identity, known_hosts and checking. "none" undoes
	// a ProxyJump of ssh_config.
	Jump string

	// ConnectTimeout bounds TCP, handshake and authentication together, for
	// each hop; default 10 s. The time a person takes to answer a prompt does
	// not count.
	ConnectTimeout time.Duration

	// SudoPassword is asked when sudo asks, at most once a connection.
	// nil: sudo -n.
	SudoPassword func(context.Context) (string, error)
}

// Dialer makes connections. The zero value works. It is safe for concurrent use
// and must not be copied after its first use.
type Dialer struct {
	ConfigFile  string // "" = ~/.ssh/config and /etc/ssh/ssh_config; otherwise this file alone
	Home        string // "" = $HOME; otherwise only the ssh_config below it counts
	AgentSocket string // "" = $SSH_AUTH_SOCK; "none" = no agent. An IdentityAgent of ssh_config outranks it

	// SSH is the program that reads ssh_config, as in ssh -G; "" = ssh. Where there
	// is none, a plain ssh_config is read without it, and any other is refused.
	SSH string

	// Prompt asks a person for a passphrase or for what a server wants beside a key. The question may
	// have several lines; the answer is not to be shown. Called by one dial at a time.
	// nil: there is no terminal.
	Prompt func(ctx context.Context, question string) (string, error)

	// Observe is called before and after every remote operation, from the
	// goroutine that carries it out, possibly concurrently.
	Observe func(Op)

	// Log takes remarks for people who asked for details.
	Log func(format string, args ...any)

	mu       sync.Mutex
	inflight map[string]*semaphore.Weighted // handshakes in flight, by host:port
	unlocked map[string]ssh.Signer          // decrypted private keys, by path
	asking   sync.Mutex                     // one question at a time
	asker    *asker
	shares   map[string]*shared // connections to jump hosts that are used by several

	knownMu  sync.Mutex
	known    map[string]knownFile // known_hosts files, by path
	knownBuf bytes.Buffer         // what a file holds now

	staleTurn, startPeriod time.Duration // 0: the usual ones; shorter in tests
}

// OpName names a remote operation.
type OpName string

// The remote operations that Observe sees.
const (
	OpDial     OpName = "dial"      // one hop: TCP, handshake, authentication
	OpExec     OpName = "exec"      // one exec channel: Run, or the start of a Shell
	OpShellRun OpName = "shell-run" // one script in a running Shell
	OpStream   OpName = "stream"    // one exec channel whose data go through
	OpTerminal OpName = "terminal"  // one exec channel with a terminal
	OpUpload   OpName = "upload"    // one file
	OpDownload OpName = "download"  // one file
)

// Op is one remote operation, told to Observe twice: before, and after with
// Done set.
type Op struct {
	Host string
	Name OpName
	Root bool
	Path string // of an upload or download
	Done bool
	Err  error         // after
	Took time.Duration // after
}

// observe tells Observe of an operation that begins, and returns the function
// that tells of its end.
func (d *Dialer) observe(op Op) func(error) {
	if d.Observe == nil {
		return func(error) {}
	}
	d.Observe(op)
	start := time.Now()
	return func(err error) {
		op.Done, op.Err, op.Took = true, err, time.Since(start)
		d.Observe(op)
	}
}

func (d *Dialer) logf(format string, args ...any) {
	if d.Log != nil {
		d.Log(format, args...)
	}
}

// maxHandshakes stays below the 10 unauthenticated connections at which a
// default sshd starts to drop some (MaxStartups 10:30:100).
const maxHandshakes = 8

func (d *Dialer) handshakes(addr string) *semaphore.Weighted {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inflight == nil {
		d.inflight = make(map[string]*semaphore.Weighted)
	}
	s := d.inflight[addr]
	if s == nil {
		s = semaphore.NewWeighted(maxHandshakes)
		d.inflight[addr] = s
	}
	return s
}
