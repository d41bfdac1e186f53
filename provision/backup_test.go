package provision_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"provision/provision"
	"provision/provision/report"
	"provision/remote/remotetest"
)

const backups = "/var/backups/provision-prefect"

// backup makes one and wants it proved.
func (s *site) backup() *provision.Backup {
	s.t.Helper()
	a := s.attempt()
	defer a.end()
	b, err := a.Backup(a.ctx)
	if err != nil {
		s.t.Fatalf("%s\n%s", explain(err), a.story())
	}
	if b == nil || b.Verdict != provision.BackupProved || b.Rows == 0 || b.Made.IsZero() || len(b.ID) != 64 {
		s.t.Fatalf("%+v", b)
	}
	return b
}

// listed are the backups as the verb shows them, and what status says.
func (s *site) listed() ([]provision.Backup, *provision.BackupStatus) {
	s.t.Helper()
	a := s.attempt()
	defer a.end()
	all, err := a.Backups(a.ctx)
	if err != nil {
		s.t.Fatalf("%s", explain(err))
	}
	hosts, err := a.Status(a.ctx)
	if err != nil || hosts[0].Backup == nil {
		s.t.Fatalf("status says nothing of backups: %v", err)
	}
	return all, hosts[0].Backup
}

// TestBackup: after a first apply there are backups, in either generation, with nothing said of them in the stack.
func TestBackup(t *testing.T) {
	t.Parallel()
	for name, stack := range map[string]string{"2": "# nothing is said\n", "3": "[prefect]\nversion = \"3.9.1\"\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, layout{agents: 1, stack: stack})
			s.converge()
			if all, status := s.listed(); len(all) > 0 || status.Newest != nil || status.Failed != "" {
				t.Fatalf("%+v %+v", all, status)
			}
			first := s.backup()
			second := s.backup()
			all, status := s.listed()
			if len(all) != 2 || all[0].ID != second.ID || all[1].ID != first.ID || status.Newest == nil || status.Newest.ID != second.ID || status.Failed != "" {
				t.Errorf("%+v %+v", all, status)
			}
			s.unchanged() // what a backup leaves behind is no difference
			for _, f := range s.server.Files("/var/backups") {
				below := strings.Count(f.Path, "/")
				own := f.UID == 0 || strings.HasPrefix(f.Path, backups+"/work/dump") || strings.HasPrefix(f.Path, backups+"/work/proof")
				if f.IsDir() && (f.Path == backups || below == 4) && f.FileMode.Perm() != 0o700 || !own {
					t.Errorf("%s is %s of %d", f.Path, f.FileMode, f.UID)
				}
				if strings.HasPrefix(f.Path, backups+"/work/") && path.Base(f.Path) == "toc.dat" {
					t.Errorf("a dump in clear is left: %s", f.Path)
				}
			}
			if slices.ContainsFunc(s.server.Containers(), func(c remotetest.Container) bool { return strings.Contains(c.Name, "backup") }) {
				t.Error("a container is left")
			}
		})
	}
}

// TestBackupFails: whatever fails, the backups before it are as good as they were, and it is not among them.
func TestBackupFails(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, program, argument, step string
		verdict                       string // of what is in the repository; "" if it is not
	}{
		{"the dump", "backup-dump", "", "the dump of the database", ""},
		{"the repository", "backup-repository", "store", "storing it in the repository", ""},
		{"fetching", "backup-repository", "fetch", "proving it", provision.BackupFailed},
		{"the proof", "backup-prove", "", "proving it", provision.BackupFailed},
		{"removing old ones", "backup-repository", "forget", "removing old backups", provision.BackupProved},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, layout{agents: 1})
			var broken atomic.Bool
			s.fleet.InContainer(func(c remotetest.Call) (int, bool) {
				if !broken.Load() || path.Base(c.Argv[0]) != tc.program || tc.argument != "" && !slices.Contains(c.Argv, tc.argument) {
					return 0, false
				}
				fmt.Fprintln(c.Stderr, "a reason \x1b[2J of its own")
				return 65, true
			})
			s.converge()
			good := s.backup()
			broken.Store(true)
			a := s.attempt()
			b, err := a.Backup(a.ctx)
			a.end()
			if report.ExitCode(err) != report.ExitStep || b != nil || !strings.Contains(explain(err), tc.step) || !strings.Contains(explain(err), `a reason \x1b[2J of its own`) {
				t.Fatalf("%+v %s", b, explain(err))
			}
			all, status := s.listed()
			if !strings.Contains(status.Failed, tc.step) || !strings.Contains(status.Failed, "a reason") || strings.Contains(status.Failed, "\x1b") || status.Newest == nil || tc.verdict != provision.BackupProved && status.Newest.ID != good.ID {
				t.Errorf("%+v, the good one is %s", status, good.ID)
			}
			if got := len(all) == 2; got != (tc.verdict != "") || all[len(all)-1].ID != good.ID || all[len(all)-1].Verdict != provision.BackupProved {
				t.Errorf("%+v", all)
			}
			if tc.verdict != "" && all[0].Verdict != tc.verdict {
				t.Errorf("it is listed as %s", all[0].Verdict)
			}
			plan, err := s.attempt().plan()
			if err != nil || !plan.Empty() || !slices.ContainsFunc(plan.Warnings, func(w string) bool { return strings.Contains(w, "the last backup failed at "+tc.step) }) {
				t.Errorf("%v %q", err, plan.Warnings)
			}
			broken.Store(false)
			s.backup()
			if _, status := s.listed(); status.Failed != "" || status.Newest.ID == good.ID {
				t.Errorf("%+v", status)
			}
		})
	}
}

// TestBackupOnce: two at a time would use the same room.
func TestBackupOnce(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1})
	var asked atomic.Bool
	second := make(chan error, 1)
	s.fleet.InContainer(func(c remotetest.Call) (int, bool) {
		if path.Base(c.Argv[0]) == "backup-dump" && !asked.Swap(true) {
			a := s.attempt()
			defer a.end()
			_, err := a.Backup(a.ctx)
			second <- err
		}
		return 0, false
	})
	s.converge()
	s.backup()
	if err := <-second; report.ExitCode(err) != report.ExitLocked {
		t.Errorf("%s", explain(err))
	}
}

// TestBackupKilled: the host goes down in each step. It is said, and the next backup finds nothing in its way.
func TestBackupKilled(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]string{
		"the dump of the database": "backup-dump", "storing it in the repository": "store", "proving it": "fetch", "proving it, loaded": "backup-prove", "removing old backups": "forget",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, layout{agents: 1})
			at, _, _ := strings.Cut(name, ",")
			var armed atomic.Bool
			s.fleet.InContainer(func(c remotetest.Call) (int, bool) {
				if words := append(slices.Clone(c.Argv), path.Base(c.Argv[0])); !slices.Contains(words, last) || !armed.Swap(false) {
					return 0, false
				}
				down := make(chan struct{})
				go func() {
					defer close(down)
					s.server.Reboot()
				}()
				<-down
				return 137, true
			})
			s.converge()
			good := s.backup()
			armed.Store(true)
			a := s.attempt()
			_, err := a.Backup(a.ctx)
			a.end()
			if err == nil || armed.Load() {
				t.Fatalf("it was not interrupted:\n%s", a.story())
			}
			s.converge()
			all, status := s.listed()
			if status.Failed != at+": it was killed, or the host went down" || status.Newest == nil || status.Newest.Verdict == provision.BackupFailed {
				t.Errorf("%+v", status)
			}
			if !slices.ContainsFunc(all, func(b provision.Backup) bool { return b.ID == good.ID && b.Verdict == provision.BackupProved }) {
				t.Errorf("the one from before is not as it was: %+v", all)
			}
			s.backup()
			if _, status := s.listed(); status.Failed != "" {
				t.Errorf("%+v", status)
			}
		})
	}
}

// TestBackupPassword: what opens the backups is not made anew where there are any.
func TestBackupPassword(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1})
	s.converge()
	const password = base + "/server/secrets/backup/repository_password"
	removed(serverHost, password)(t, s)
	s.converge() // there is no backup yet
	s.backup()
	a := s.attempt()
	kit, err := a.Recovery(a.ctx)
	a.end()
	text, _ := s.server.ReadFile(password)
	if err != nil || kit.Password != string(text) || kit.Repository != "prefect:"+backups+"/repository" || kit.Stack != "prefect" {
		t.Fatalf("%+v %v", kit, err)
	}
	removed(serverHost, password)(t, s)
	s.refused("repository_password", backups+"/repository", "put the file back from a backup", "move "+backups+"/repository and the receipts")
	if err := s.server.WriteFile(password, kit.Password, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := s.attempt().apply(); err != nil {
		t.Fatal(explain(err))
	}
	s.backup()
}

// TestBackupOff: without backups the timer goes, and those that there are stay.
func TestBackupOff(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1, stack: "# nothing is said\n"})
	s.converge()
	s.backup()
	before := paths(s.server, backups+"/repository")
	s.stack("[backup]\nenabled = false\n")
	plan, err := s.attempt().plan()
	if err != nil || !strings.Contains(announced(plan), "prefect remove backups: no backups of the stack are made here any more") {
		t.Fatalf("%v\n%s", err, announced(plan))
	}
	s.converge()
	if left := paths(s.server, "/etc/systemd/system"); strings.Contains(left, "backup") {
		t.Errorf("left: %s", left)
	}
	if paths(s.server, backups+"/repository") != before || before == "" {
		t.Error("the backups are not as they were")
	}
	a := s.attempt()
	hosts, err := a.Status(a.ctx)
	_, none := a.Backups(a.ctx)
	a.end()
	if err != nil || hosts[0].Backup == nil || !hosts[0].Backup.Off || report.ExitCode(none) != report.ExitUsage {
		t.Errorf("%v %+v %s", err, hosts[0].Backup, explain(none))
	}
	s.stack("# nothing is said\n")
	s.converge()
	if all, _ := s.listed(); len(all) != 1 { // they open with the password from before
		t.Errorf("%+v", all)
	}
	s.backup()
}

// TestBackupOutlives: a stack that is destroyed with its volumes leaves its backups, and what opens them.
func TestBackupOutlives(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1})
	s.converge()
	s.backup()
	const password = base + "/server/secrets/backup/repository_password"
	read := func() string {
		text, err := s.server.ReadFile(password)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before, repository := read(), paths(s.server, backups+"/repository")
	a := s.attempt()
	var err error
	if a.System, err = a.System.Destroying(true); err != nil {
		t.Fatal(err)
	}
	gone, err := a.DestroyStack(a.ctx, a.ctx)
	a.end()
	if err != nil || !slices.ContainsFunc(gone.Left, func(l string) bool {
		return strings.Contains(l, "the backups in "+backups+"/repository on prefect, and "+password+", which opens them")
	}) {
		t.Fatalf("%s %+v", explain(err), gone)
	}
	if read() != before || paths(s.server, backups+"/repository") != repository {
		t.Error("the backups, or what opens them, are not as they were")
	}
	if left := paths(s.server, base); left != password {
		t.Errorf("left: %s", left)
	}
	if left := paths(s.server, "/etc/systemd/system"); strings.Contains(left, "backup") {
		t.Errorf("left: %s", left)
	}
}

// TestBackupDiskAway: a repository that is not there is not begun anew in its place.
func TestBackupDiskAway(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1, stack: "[backup]\nrepository = \"/mnt/b\"\n"})
	s.converge()
	s.backup()
	sh(t, s, serverHost, "mv /mnt/b /mnt/away")
	plan, err := s.attempt().plan()
	if err != nil || !plan.Empty() || !slices.ContainsFunc(plan.Warnings, func(w string) bool { return strings.Contains(w, "the backups in /mnt/b are not there") }) {
		t.Errorf("%v\n%s%q", err, announced(plan), plan.Warnings)
	}
	a := s.attempt()
	_, err = a.Backup(a.ctx)
	a.end()
	if report.ExitCode(err) != report.ExitStep || !strings.Contains(explain(err), "is its disk mounted?") {
		t.Errorf("%s", explain(err))
	}
	if _, err := s.server.Stat("/mnt/b"); err == nil {
		t.Error("a repository was begun in its place")
	}
	sh(t, s, serverHost, "mv /mnt/away /mnt/b")
	s.backup()
	if all, _ := s.listed(); len(all) != 2 {
		t.Errorf("%+v", all)
	}
}

// TestBackupDirectoryInUse: a directory that others use is left as it is.
func TestBackupDirectoryInUse(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1, stack: "[backup]\nrepository = \"/srv/others\"\n"})
	sh(t, s, serverHost, "mkdir -p /srv/others; chmod 0755 /srv/others; echo theirs >/srv/others/file")
	_, err := s.attempt().apply()
	if report.ExitCode(err) != report.ExitStep || !strings.Contains(explain(err), "/srv/others is in use by something else") {
		t.Fatalf("%s", explain(err))
	}
	if info, err := s.server.Stat("/srv/others"); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v %v", info, err)
	}
}
