package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/semaphore"
)

// ssh_config is read by the controller's own ssh: ssh -G prints what it would do
// for a name. No other reader agrees with it on conditions, quotes and tokens, and
// one that does not connects somewhere else.

// options are the settings for one name, as ssh -G prints them: keywords in lower
// case, in order of lines.
type options map[string][]string

func (o options) one(keyword string) string {
	if v := o[keyword]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// question is what ssh -G is asked. Conditions of ssh_config may depend on all of it.
type question struct {
	alias    string
	user     string // "" = as ssh_config says
	port     int    // 0 = as ssh_config says
	jump     string // "" = as ssh_config says
	identity bool   // the caller has a key file of its own: no default names
}

// kind is what a question has in common with those that may have the same answer:
// all but the name, the user and the port.
func (q question) kind() question {
	q.alias = ""
	if q.user != "" {
		q.user = "given"
	}
	q.port = min(q.port, 1)
	return q
}

// habits are what a version of ssh does by itself: the settings that ssh -G prints
// with tokens expanded, and the lists of algorithms without any configuration.
type habits struct {
	expands  map[string]bool
	defaults options
}

// usually is the value without any configuration.
func (h *habits) usually(keyword string) string { return h.defaults.one(keyword) }

const systemConfig = "/etc/ssh/ssh_config"

const (
	askTimeout = 20 * time.Second // Match exec runs programs, CanonicalizeHostname asks name servers
	askAtOnce  = 8
	// ownIdentity takes the place of the caller's own key file in questions.
	ownIdentity = "/dev/null/identity-of-the-inventory"
)

// asker asks ssh -G once for each question.
type asker struct {
	program string
	config  string // -F; "" = ssh's own files
	slots   *semaphore.Weighted

	mu     sync.Mutex
	asked  map[question]*asking
	groups map[question]*group
	habits *asking // of the program itself

	questions atomic.Int64
}

// asking is one question in hand or answered.
type asking struct {
	done   chan struct{}
	answer options
	habits *habits
	err    error
}

// group is all questions of a kind.
type group struct {
	scouts     map[string]*asking // by likeness: its answer may do for others, so they wait for it
	precedents []*precedent
}

// likeness is equal for names that an answer may hold for together, as far as is
// known by now: before the first answer, all are alike.
func (g *group) likeness(q question) string {
	if len(g.precedents) == 0 {
		return ""
	}
	return g.precedents[0].likeness(q.alias)
}

func newAsker(program, config string) *asker {
	return &asker{program: program, config: config, slots: semaphore.NewWeighted(askAtOnce), asked: make(map[question]*asking), groups: make(map[question]*group)}
}

// errNotOpenSSH: the program does not answer as OpenSSH's does.
var errNotOpenSSH = errors.New("no OpenSSH")

// knows returns the habits of the program, or errNotOpenSSH.
func (a *asker) knows(ctx context.Context) (*habits, error) {
	a.mu.Lock()
	one := a.habits
	if one == nil {
		one = &asking{done: make(chan struct{})}
		a.habits = one
		a.mu.Unlock()
		one.habits, one.err = a.probe(ctx)
		if ctx.Err() != nil { // others ask again
			a.mu.Lock()
			a.habits, one.err = nil, context.Canceled
			a.mu.Unlock()
			close(one.done)
			return nil, context.Cause(ctx)
		}
		close(one.done)
		return one.habits, one.err
	}
	a.mu.Unlock()
	select {
	case <-one.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if errors.Is(one.err, context.Canceled) && ctx.Err() == nil {
		return a.knows(ctx)
	}
	return one.habits, one.err
}

// probe shows the program a token in every setting that may be expanded.
func (a *asker) probe(ctx context.Context) (*habits, error) {
	const token, name = "/%%p", "probe.invalid"
	args := []string{"-F", "none", "-G", "-T"}
	tried := []string{"identityfile", "certificatefile", "identityagent", "revokedhostkeys", "userknownhostsfile", "globalknownhostsfile"}
	for _, key := range tried {
		args = append(args, "-o", key+"="+token)
	}
	out, said, err := a.run(ctx, append(args, "--", name))
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	o := parseOptions(out)
	if err != nil || o.one("hostname") != name {
		return nil, fmt.Errorf("%w: %s -G: %s", errNotOpenSSH, a.program, Sanitize(fmt.Sprint(err, " ", strings.Join(said, "; "))))
	}
	h := &habits{expands: make(map[string]bool), defaults: o}
	for _, key := range tried {
		h.expands[key] = o.one(key) != token
	}
	return h, nil
}

// ask returns ssh's answer. What was answered for one name is taken for another
// where it is certain that ssh would answer the same.
func (a *asker) ask(ctx context.Context, q question) (options, error) {
	h, err := a.knows(ctx)
	if err != nil {
		return nil, err
	}
	for {
		a.mu.Lock()
		one := a.asked[q]
		if one == nil {
			g := a.groups[q.kind()]
			if g == nil {
				g = &group{scouts: make(map[string]*asking)}
				a.groups[q.kind()] = g
			}
			for _, p := range g.precedents {
				if o, ok := p.holdsFor(q); ok {
					one = &asking{done: make(chan struct{}), answer: o}
					close(one.done)
					a.asked[q] = one
					break
				}
			}
			if one == nil {
				like := g.likeness(q)
				scout := g.scouts[like]
				if scout == nil || scout.ended() { // an ended one was of no use to this name
					one = &asking{done: make(chan struct{})}
					a.asked[q] = one
					if scout == nil {
						g.scouts[like] = one
					}
					a.mu.Unlock()
					return a.answer(ctx, q, one, g, like, h)
				}
				a.mu.Unlock()
				if err := scout.wait(ctx); err != nil {
					return nil, err
				}
				continue
			}
		}
		a.mu.Unlock()
		if err := one.wait(ctx); err != nil {
			return nil, err
		}
		if one.err == nil || !errors.Is(one.err, context.Canceled) {
			return one.answer, one.err
		}
	}
}

func (one *asking) ended() bool {
	select {
	case <-one.done:
		return true
	default:
		return false
	}
}

func (one *asking) wait(ctx context.Context) error {
	select {
	case <-one.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *asker) answer(ctx context.Context, q question, one *asking, g *group, like string, h *habits) (options, error) {
	var said []string
	one.answer, said, one.err = a.question(ctx, q)
	var p *precedent
	if one.err == nil {
		p = newPrecedent(q.alias, one.answer, said, h)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if ctx.Err() != nil { // others ask again
		one.err = context.Canceled
		delete(a.asked, q)
		if g.scouts[like] == one {
			delete(g.scouts, like)
		}
	}
	const enough = 16 // more kinds of hosts than that are asked about one by one
	if p != nil && len(g.precedents) < enough {
		g.precedents = append(g.precedents, p)
	}
	close(one.done)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return one.answer, one.err
}

func (a *asker) question(ctx context.Context, q question) (options, []string, error) {
	a.questions.Add(1)
	args := []string{"-G", "-T", "-v"}
	if a.config != "" {
		args = append(args, "-F", a.config)
	}
	if q.user != "" {
		args = append(args, "-l", q.user)
	}
	if q.port != 0 {
		args = append(args, "-p", strconv.Itoa(q.port))
	}
	if q.jump != "" {
		args = append(args, "-J", q.jump)
	}
	if q.identity {
		args = append(args, "-o", "IdentityFile="+ownIdentity)
	}
	args = append(args, "-o", "ControlPath=%C", "--", q.alias) // %C is a digest that differs by version
	out, said, err := a.run(ctx, args)
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, nil, configError(err, said)
	}
	o := parseOptions(out)
	if o.one("hostname") == "" {
		return nil, nil, configError(errors.New("ssh -G names no host"), said)
	}
	return o, said, nil
}

// run ends with nothing left of what ssh started, programs of Match exec included.
func (a *asker) run(ctx context.Context, args []string) (out []byte, said []string, err error) {
	if err := a.slots.Acquire(ctx, 1); err != nil {
		return nil, nil, context.Cause(ctx)
	}
	defer a.slots.Release(1)
	limited, stop := context.WithTimeout(ctx, askTimeout)
	defer stop()
	cmd := exec.CommandContext(limited, a.program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what Match exec left behind
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	if limited.Err() != nil && ctx.Err() == nil {
		err = errAskTimeout
	}
	for line := range strings.Lines(stderr.String()) {
		said = append(said, strings.TrimRight(line, "\r\n"))
	}
	return stdout.Bytes(), said, err
}

var errAskTimeout = fmt.Errorf("ssh -G gave no answer within %v: does a program of Match exec, or a name server, hang?", askTimeout)

func parseOptions(out []byte) options {
	o := make(options)
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		key = strings.ToLower(key)
		o[key] = append(o[key], value)
	}
	return o
}

// configError is ssh's refusal of ssh_config, in its own words. One that names a
// file is the same for all hosts.
func configError(err error, said []string) *Error {
	var words []string
	for _, line := range said {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "debug") || strings.HasPrefix(line, "OpenSSH_") || foreign.Say(line, onlyCounts) || slices.Contains(words, line) {
			continue
		}
		words = append(words, line)
	}
	e := &Error{Op: "read ssh_config", Kind: Config, Err: err, Hint: "correct the file, then see what ssh makes of it: ssh -G HOST"}
	if errors.Is(err, errAskTimeout) {
		e.Kind, e.Hint = Unreachable, "see what ssh waits for: ssh -v -G HOST"
	} else if len(words) > 0 {
		e.Err, e.everyHost = errors.New(Sanitize(words[0])), foreign.Say(words[0], aboutFile)
		if foreign.Say(words[0], noSuchName) {
			e.Kind, e.Hint = Unreachable, "check the name, and CanonicalizeHostname in ssh_config"
		}
	}
	if len(words) > 1 {
		e.Evidence = Sanitize(strings.Join(words, "\n"))
	}
	return e
}

// asks returns who is asked, or nil if there is nothing to ask about or nobody to
// ask; then files are the configuration that is left to read.
func (d *Dialer) asks(ctx context.Context) (a *asker, files []string, err error) {
	config := d.ConfigFile
	files = []string{d.home() + "/.ssh/config", systemConfig}
	if config == "" && d.elsewhere() { // ssh has to be told, and takes one file
		config = files[0]
		if _, err := os.Stat(config); errors.Is(err, os.ErrNotExist) {
			if config = files[1]; d.Home != "" {
				return nil, nil, nil
			}
			if _, err := os.Stat(config); errors.Is(err, os.ErrNotExist) {
				return nil, nil, nil
			}
		}
	}
	if config != "" {
		files = []string{config}
	}
	files = slices.DeleteFunc(files, func(name string) bool {
		st, err := os.Stat(name)
		return err == nil && (st.Mode().IsRegular() && st.Size() == 0 || name == os.DevNull) || errors.Is(err, os.ErrNotExist) && config == ""
	})
	if len(files) == 0 {
		return nil, nil, nil
	}
	d.mu.Lock()
	if d.asker == nil {
		program := d.SSH
		if program == "" {
			program = "ssh"
		}
		if path, err := exec.LookPath(program); err == nil {
			d.asker = newAsker(path, config)
		} else {
			d.asker = newAsker("", config)
		}
	}
	a = d.asker
	d.mu.Unlock()
	if a.program == "" {
		return nil, files, nil
	}
	if _, err := a.knows(ctx); errors.Is(err, errNotOpenSSH) {
		d.logf("%v", err)
		return nil, files, nil
	} else if err != nil {
		return nil, nil, err
	}
	return a, files, nil
}
