package resource

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"provision/provision/platform"
	"provision/remote"
)

// Backups has the server host make a backup each day, without anybody who asks for it: directories, and a timer that runs the program
// which Text is. The backups themselves, and all that says how they went, are in Dir and in Repository, which nothing here removes.
type Backups struct {
	Host, Stack string
	// Dir holds the receipts of the backups and what is being worked with, Repository the backups.
	Dir, Repository string
	// At is the time of day, and Verify says which backups are proved by loading them: "daily", "weekly", "never".
	At, Verify string
	StackDir   string // the stack's directory
	Program    string // path of the program
	// Project and ProjectDir are the Compose project with the services backup-dump, backup-store and backup-prove, each of which runs once, as Container.
	Project, ProjectDir, Container string
	UID                            string // of the database
	Data                           *Disk  // where the database is; nil for the engine's own place
	After                          []ID
}

var (
	_ Resource = (*Backups)(nil)
	_ Warner   = (*Backups)(nil)
)

// BackupsID is the ID of what makes a host's backups.
func BackupsID(host string) ID { return ID{host, "backups", ""} }

func (b *Backups) ID() ID      { return BackupsID(b.Host) }
func (b *Backups) Needs() []ID { return append([]ID{EngineID(b.Host)}, b.After...) }

// Made is the ID under which a fact says whether there may be backups already.
func (b *Backups) Made() ID { return ID{b.Host, "repository", b.Repository} }

const (
	backupName  = "provision-backup"
	backupUnit  = "/etc/systemd/system/" + backupName + ".service"
	backupTimer = "/etc/systemd/system/" + backupName + ".timer"
)

// Text is the program that makes one backup.
func (b *Backups) Text() []byte {
	return []byte("#!/bin/sh\n" + scripts.With("backups_run", "dir", b.Dir, "stack", b.Stack, "repository", b.Repository, "stackdir", b.StackDir, "project", b.Project, "at", b.ProjectDir,
		"container", b.Container, "verify", b.Verify))
}

// units are the texts of service and timer.
func (b *Backups) units() (service, timer string) {
	service = `[Unit]
Description=Backup of the stack ` + b.Stack + ` (provision)
After=docker.service

[Service]
Type=oneshot
ExecStart=/bin/sh ` + b.Program + `
Nice=10
`
	timer = `[Unit]
Description=Daily backup of the stack ` + b.Stack + ` (provision)

[Timer]
OnCalendar=*-*-* ` + b.At + `:00
Persistent=true

[Install]
WantedBy=timers.target
`
	return service, timer
}

// directories are made for root alone, but for those that the database's programs write in.
func (b *Backups) directories() (own, database []string) {
	own = []string{b.Dir, b.Dir + "/receipts", b.Dir + "/work", b.Dir + "/work/store", b.Dir + "/work/cache", b.Repository}
	return own, []string{b.Dir + "/work/dump", b.Dir + "/work/proof"}
}

func (b *Backups) Probe(s *Script) {
	init := platform.Systemd
	s.Once("backups", remote.Function("backupsenabled", init.Enabled(backupName+".timer"))+remote.Function("backupsactive", init.Active(backupName+".timer")))
	own, database := b.directories()
	data := "/var/lib/docker"
	if b.Data != nil {
		data = b.Data.Directory()
	}
	s.Record(b.ID(), remote.Args(append(own, database...)...)+
		scripts.With("backups_probe", "dir", b.Dir, "repository", b.Repository, "data", data, "unit", backupUnit, "timer", backupTimer))
	s.Record(b.Made(), scripts.With("backups_made", "dir", b.Dir, "repository", b.Repository))
}

func (b *Backups) Diff(w World) []Change {
	rec, know := w.Fact(b.ID())
	service, timer := b.units()
	c := Change{ID: b.ID(), Act: Modify}
	switch {
	case know == Unknown:
		return nil
	case know == No:
		c.Act, c.Why = Add, "nothing makes backups of this stack"
	case rec.Fields["lost"] != "":
		return nil // see Warn: a directory that is made in its place would hide where the backups are
	case strings.TrimSpace(rec.Fields["directories"]) != b.wantedDirectories():
		c.Why = "its directories are not there, or do not belong to whom they should"
	case strings.TrimSpace(rec.Fields["sums"]) != digest([]byte(service))+"\n"+digest([]byte(timer)):
		c.Why = "its units differ"
	case rec.Fields["enabled"] != "enabled" || rec.Fields["active"] != "active":
		c.Why = "its timer does not run"
	default:
		return nil
	}
	return []Change{c}
}

// wantedDirectories is what the probe prints of directories that are as they should be.
func (b *Backups) wantedDirectories() string {
	own, database := b.directories()
	lines := slices.Repeat([]string{"0:0 700 directory"}, len(own))
	return strings.Join(append(lines, slices.Repeat([]string{b.UID + ":" + b.UID + " 700 directory"}, len(database))...), "\n")
}

func (b *Backups) Do(ctx context.Context, r *Run, _ Change) error {
	service, timer := b.units()
	own, database := b.directories()
	_, err := r.Sh(ctx, b.Host, remote.Args(append(own, database...)...)+startAtBoot(backupName+".timer")+
		scripts.With("backups_change", "unit", backupUnit, "service", service, "timer", backupTimer, "text", timer, "uid", b.UID, "count", fmt.Sprint(len(own)), "repository", b.Repository))
	return err
}

// removeBackups takes the units away. Backups stay.
func removeBackups(dir string) string {
	init := platform.Systemd
	return remote.Function("disable", init.Disable(backupName+".timer")+"\n"+init.Stop(backupName+".service")) + remote.Function("reread", init.Reread()) +
		scripts.With("backups_remove", "unit", backupUnit, "timer", backupTimer, "dir", dir)
}

// BackupState is what a host knows of its backups.
type BackupState struct {
	// Last is the last attempt, and Newest the newest backup that can be used: proved, where backups are. They are keys and values, as the program writes
	// them; nil where there is none.
	Last, Newest map[string]string
	// SameDisk says that the backups are lost with the disk of the data.
	SameDisk bool
}

// State reads what the host has said.
func (b *Backups) State(w World) (BackupState, Know) {
	rec, know := w.Fact(b.ID())
	s := BackupState{Last: Pairs(rec.Fields["last"]), Newest: Pairs(rec.Fields["newest"]), SameDisk: rec.Fields["samedisk"] != ""}
	if s.Last["result"] == "running" && rec.Fields["busy"] == "" {
		s.Last["result"], s.Last["why"] = "failed", "it was killed, or the host went down"
	}
	return s, know
}

// Pairs reads lines of a key and a value.
func Pairs(text string) map[string]string {
	var out map[string]string
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok || key == "" {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[remote.Sanitize(key)] = remote.Sanitize(value)
	}
	return out
}

// Warn says that the last backup failed. The one before is as good as it was.
func (b *Backups) Warn(w World) []string {
	state, know := b.State(w)
	if rec, _ := w.Fact(b.ID()); know == Yes && rec.Fields["lost"] != "" {
		return []string{fmt.Sprintf("%s: the backups in %s are not there, and none is made before they are: is its disk mounted? Where they are gone for good, remove %s/made", b.Host, b.Repository, b.Dir)}
	}
	if know != Yes || state.Last["result"] != "failed" {
		return nil
	}
	return []string{fmt.Sprintf("%s: the last backup failed at %s: %s; those before are as they were (see all that it says: provision backup)", b.Host, cmp.Or(state.Last["step"], "its begin"), cmp.Or(state.Last["why"], "it was ended"))}
}
