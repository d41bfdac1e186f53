package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"provision/provision/plan"
	"provision/provision/report"
	"provision/provision/resource"
	"provision/remote"
)

// Backup is one backup, as its host knows it.
type Backup struct {
	ID   string    `json:"id"`
	Made time.Time `json:"made"`
	// Kind is "safety" for one that was made before something that could lose data, which is never removed by its age.
	Kind string `json:"kind,omitempty"`
	// Verdict is "proved" (it was loaded into a database of its own, and each table had its rows), "unproved" or "failed".
	Verdict string `json:"verdict"`
	Why     string `json:"why,omitempty"` // of a failure
	// Rows are those of the database, and Bytes the size of its dump.
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
	// RestoreSeconds is how long it took to fetch, load and compare it.
	RestoreSeconds int64 `json:"restore_seconds,omitempty"`
	// Postgres and Schema are the versions that wrote it: 170012 is 17.12.
	Postgres string `json:"postgres"`
	Schema   string `json:"schema"`
}

// Verdicts of a backup.
const (
	BackupProved   = "proved"
	BackupUnproved = "unproved"
	BackupFailed   = "failed"
)

func backupOf(receipt map[string]string) Backup {
	number := func(key string) int64 { n, _ := strconv.ParseInt(receipt[key], 10, 64); return n }
	return Backup{
		ID: receipt["id"], Made: time.Unix(number("began"), 0).UTC(), Kind: receipt["kind"], Verdict: cmp.Or(receipt["verdict"], BackupUnproved), Why: receipt["why"],
		Rows: number("rows"), Bytes: number("dump_bytes"), RestoreSeconds: number("restore_seconds"), Postgres: receipt["postgres"], Schema: receipt["alembic"],
	}
}

// BackupStatus is what a server host says of its backups.
type BackupStatus struct {
	// Newest is the newest backup that did not fail; nil if there is none.
	Newest *Backup `json:"newest,omitempty"`
	// Failed says why the last attempt failed; "" if it did not.
	Failed string `json:"failed,omitempty"`
	// SameDisk says that a broken disk takes the data and the backups along.
	SameDisk bool `json:"same_disk,omitempty"`
	// Off says that no backups are made.
	Off bool `json:"off,omitempty"`
}

// backupStatus is that of a host; nil where it has nothing to do with backups.
func (p *Pass) backupStatus(w *plan.World, on []resource.Resource, server bool) *BackupStatus {
	n := slices.IndexFunc(on, func(r resource.Resource) bool { _, ok := r.(*resource.Backups); return ok })
	if n < 0 {
		if server && !p.System.Stack.Postgres.URL.Set() {
			return &BackupStatus{Off: true}
		}
		return nil
	}
	state, know := on[n].(*resource.Backups).State(w)
	if know != resource.Yes {
		return nil
	}
	out := &BackupStatus{SameDisk: state.SameDisk}
	if state.Newest != nil {
		b := backupOf(state.Newest)
		out.Newest = &b
	}
	if state.Last["result"] == "failed" {
		out.Failed = fmt.Sprintf("%s: %s", state.Last["step"], state.Last["why"])
	}
	return out
}

// backups is what makes backups, and its host.
func (p *Pass) backups() (*resource.Backups, error) {
	for _, r := range p.System.Resources {
		if b, ok := r.(*resource.Backups); ok {
			return b, nil
		}
	}
	if p.System.Inventory.Server() == nil {
		return nil, report.Usage("", "there is no server in the inventory")
	}
	return nil, &report.Error{Code: report.ExitUsage, Cause: "this stack has no backups", Hint: "write enabled = true below [backup] in stack.toml, then: provision apply"}
}

// BackupPatience is how long a backup may take.
const BackupPatience = 12 * time.Hour

// Backup makes a backup now, and returns what the host knows of it. When ctx ends, it is given up: then there is none.
func (p *Pass) Backup(ctx context.Context) (*Backup, error) {
	b, err := p.backups()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, BackupPatience, fmt.Errorf("no answer within %s", BackupPatience))
	defer cancel()
	c, err := p.fleet().Conn(ctx, b.Host)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	var step string
	steps := &lines{say: func(line string) {
		step = remote.Sanitize(line)
		p.emit(report.Event{Type: "note", Host: b.Host, Text: fmt.Sprintf("%s, after %s", step, time.Since(start).Round(time.Second))})
	}}
	err = c.Stream(ctx, remote.Stream{Script: scripts.With("backup_make", "program", b.Program), Root: true, Stdout: steps})
	if err := p.backupError(b.Host, step, err); err != nil {
		return nil, err
	}
	all, err := p.Backups(ctx)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

func (p *Pass) backupError(host, step string, err error) error {
	var exit *remote.ExitError
	if !errors.As(err, &exit) {
		return report.HostError(host, "backup", report.ExitStep, err)
	}
	e := &report.Error{Code: report.ExitStep, Host: host, Step: "backup", Cause: "failed at " + cmp.Or(step, "its begin"), Evidence: remote.Sanitize(report.LastLines(string(exit.Stderr), 5)), Hint: "those that were made before are as they were: provision backups"}
	switch exit.Code {
	case 75:
		e.Code, e.Cause, e.Evidence, e.Hint = report.ExitLocked, "another backup is being made", "", "wait until it has ended, then: provision backup"
	case 66:
		e.Code, e.Cause, e.Evidence, e.Hint = report.ExitFailed, "nothing makes backups on this host yet", "", "provision apply"
	}
	return e
}

// Backups are those that the server host knows of, the newest first.
func (p *Pass) Backups(ctx context.Context) ([]Backup, error) {
	b, err := p.backups()
	if err != nil {
		return nil, err
	}
	out, err := p.fleet().Run(ctx, b.Host, "list the backups", scripts.With("backup_list", "dir", b.Dir), time.Minute)
	if err != nil {
		return nil, err
	}
	all := []Backup{}
	for text := range strings.SplitSeq(out, "\n\n") {
		if receipt := resource.Pairs(text); receipt["id"] != "" {
			one := backupOf(receipt)
			if receipt["gone"] != "" {
				one.Verdict, one.Why = BackupFailed, "the repository does not have it any more"
			}
			all = append(all, one)
		}
	}
	slices.SortStableFunc(all, func(a, b Backup) int { return b.Made.Compare(a.Made) })
	return all, nil
}

// Recovery is what opens the backups once the hosts are gone.
type Recovery struct {
	Stack      string `json:"stack"`
	Repository string `json:"repository"` // HOST:DIRECTORY
	Password   string `json:"password"`
}

// Recovery reads it from the server host; this requires root there.
func (p *Pass) Recovery(ctx context.Context) (*Recovery, error) {
	b, err := p.backups()
	if err != nil {
		return nil, err
	}
	path := b.StackDir + "/server/secrets/backup/repository_password"
	out, err := p.fleet().Run(ctx, b.Host, "read the password of the backups", scripts.With("login_read", "f", path), time.Minute)
	var exit *remote.ExitError
	if errors.As(err, &exit) && exit.Code == 3 {
		return nil, &report.Error{Code: report.ExitFailed, Host: b.Host, Step: "read the password of the backups", Cause: "it does not exist yet", Hint: "provision apply"}
	}
	if err != nil {
		return nil, err
	}
	return &Recovery{p.System.Stack.Name, b.Host + ":" + b.Repository, remote.Sanitize(strings.TrimSpace(out))}, nil
}

// lines calls say for each line that is written.
type lines struct {
	say func(string)

	mu   sync.Mutex
	rest string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest += string(b)
	for {
		line, rest, ok := strings.Cut(l.rest, "\n")
		if !ok {
			break
		}
		l.rest = rest
		l.say(line)
	}
	if len(l.rest) > 4096 { // no line of ours
		l.rest = l.rest[:4096]
	}
	return len(b), nil
}
