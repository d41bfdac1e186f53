//go:build linux && e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"provision/e2e/lab"
)

// What the user gives, in a form that nothing else has: another scenario, whose own commands are watched, too, has others, and none of
// them begins with one of these, however its lab is called.
func sudoCanary(lab string) string  { return "canary-of-sudo with blank " + lab + "." }
func uiCanary(lab string) string    { return "canary-of-ui-" + lab + "." }
func vaultCanary(lab string) string { return "canary-of-the-vault-" + lab + "." }

// watched is what was seen while applies ran.
type watched struct {
	argv    map[string]bool   // every command line of every process
	home    string            // where a controller leaves what it leaves
	secrets map[string]string // of the first apply
}

// watch reads the command lines of all processes of this machine, in which the hosts' and their
// containers' processes are, over and over while f runs.
func (w *watched) watch(f func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		w.sample(stop)
	}()
	defer func() {
		close(stop)
		<-done
	}()
	f()
}

// sample reads a process when it is new, for a moment longer because it may be about to become another program, and all of them now and
// then: to read all of them each time takes half a CPU.
func (w *watched) sample(stop <-chan struct{}) {
	const (
		young = 10  // rounds that a process is new for
		all   = 100 // rounds after which every process is read again
	)
	seen := map[string]int{}
	for round := 0; ; round++ {
		select {
		case <-stop:
			return
		default:
		}
		dir, err := os.Open("/proc")
		if err != nil {
			return
		}
		names, _ := dir.Readdirnames(-1)
		dir.Close()
		before := seen
		seen = make(map[string]int, len(names))
		for _, name := range names {
			if name[0] < '0' || name[0] > '9' {
				continue
			}
			seen[name] = before[name] + 1
			if seen[name] > young && round%all != 0 {
				continue
			}
			if line, err := os.ReadFile("/proc/" + name + "/cmdline"); err == nil && len(line) > 0 && !w.argv[string(line)] {
				w.argv[string(line)] = true
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// secretly makes a first apply with secrets that are known by sight, and one that fails late, and watches them.
func (s *site) secretly(host *lab.Host) *watched {
	s.Helper()
	w := &watched{home: s.TempDir(), argv: map[string]bool{}}
	temporary := filepath.Join(w.home, "tmp")
	if err := os.Mkdir(temporary, 0o700); err != nil {
		s.Fatal(err)
	}
	s.env = append(s.env, "HOME="+w.home, "TMPDIR="+temporary, "LAB_SUDO="+sudoCanary(s.lab.Name), "LAB_UI="+uiCanary(s.lab.Name))
	s.heard = &bytes.Buffer{}
	file := func(name string) string { return filepath.Join(w.home, name) }
	w.watch(func() {
		s.provision(0, "plan", "--out", file("change.plan"))
		s.provision(0, "plan", "--json")
		s.provision(0, "apply", "--yes", "--json", "--verbose", "--report", file("done.html"))
		good := s.settings("PREFECT_LOGGING_LEVEL = \"NO_SUCH_LEVEL\"")
		s.provision(20, "apply", "--yes", "--verbose", "--report", file("failed.html"))
		good()
		s.provision(0, "apply", "--yes")
		s.provision(0, "verify")
		s.provision(0, "status", "--json")
		// A process that lives no longer than a host's shortest is seen, or the silence of the others means nothing.
		for n := 0; n < 20; n++ {
			s.on(host, "/bin/true control-of-the-watch")
		}
	})
	for name, says := range map[string]string{"change.plan": "prefect-postgres", "done.html": "prefect-postgres", "failed.html": "NO_SUCH_LEVEL"} {
		text, err := os.ReadFile(file(name))
		if err != nil {
			s.Fatal(err)
		}
		s.contains(string(text), says)
	}
	w.secrets = s.secrets(host)
	all := strings.Join(slices.Collect(maps.Keys(w.argv)), "\n")
	for _, want := range []string{"control-of-the-watch", "docker\x00build\x00", "docker\x00compose\x00"} {
		if !strings.Contains(all, want) {
			s.Errorf("the watch did not see %q among %d command lines", want, len(w.argv))
		}
	}
	s.Logf("%d command lines were seen", len(w.argv))
	return w
}

// secrets of the site by what they are: those that the user gave, and those in the hosts' files.
func (s *site) secrets(host *lab.Host) map[string]string {
	s.Helper()
	out := map[string]string{"the sudo password": sudoCanary(s.lab.Name), "the UI's password": uiCanary(s.lab.Name)}
	files := strings.Fields(s.on(host, `find /var/lib/provision/prefect -path '*/secrets/*' -type f ! -name '*.crt' ! -name authority ! -name ui_password_hashed`))
	for _, file := range files {
		value := s.on(host, "cat "+file)
		if lines := strings.Split(value, "\n"); len(lines) > 1 {
			value = lines[1] // a line of a key, without the one that all keys begin with
		}
		if len(value) < 16 {
			s.Errorf("%s holds %d characters", file, len(value))
			continue
		}
		out[file] = value
	}
	if len(out) < 14 {
		s.Errorf("only %d secrets are known: %v", len(out), files)
	}
	return out
}

// leaks looks for every secret where none belongs.
func (s *site) leaks(host *lab.Host, w *watched) {
	secrets := s.secrets(host)
	if secrets["/var/lib/provision/prefect/server/secrets/caddy/site.key"] == "" {
		s.Error("the user's TLS key is not among what is looked for")
	}
	maps.Copy(secrets, w.secrets)
	secrets["the secret block"] = vaultCanary(s.lab.Name)
	in := func(where, text string) {
		s.Helper()
		for what, value := range secrets {
			if strings.Contains(text, value) {
				s.Errorf("%s is in %s", what, where)
			}
		}
	}
	for line := range w.argv {
		in(fmt.Sprintf("the arguments of %q", strings.SplitN(line, "\x00", 2)[0]), line)
	}
	in("what the controller said", s.heard.String())
	for _, look := range []string{
		"docker inspect $(docker ps -aq) $(docker image ls -q) $(docker network ls -q) $(docker volume ls -q)",
		"for i in $(docker image ls -q | sort -u); do docker history --no-trunc $i; done",
		"for c in $(docker ps -aq); do docker logs $c 2>&1; done",
		"journalctl --no-pager --all --output export",
		"cat /proc/[0-9]*/cmdline",
		"docker events --since 24h --until 0s",
	} {
		text := s.on(host, look)
		if len(text) < 200 {
			s.Errorf("%s: only %d bytes to look at", look, len(text))
		}
		in(look, text)
	}

	// Files of the host: the places of secrets hold them, so that the search can find, and nothing else does.
	var patterns strings.Builder
	for _, value := range secrets {
		patterns.WriteString(value + "\n")
	}
	found := s.on(host, `umask 077; cat >/run/patterns <<'END'
`+patterns.String()+`END
grep -rlaF -f /run/patterns /etc /root /home /opt /srv /tmp /var /usr/local || [ $? -eq 1 ]; rm /run/patterns`)
	known := 0
	for file := range strings.Lines(found) {
		file = strings.TrimSpace(file)
		if strings.HasPrefix(file, "/var/lib/provision/prefect/") && strings.Contains(file, "/secrets/") {
			known++
			continue
		}
		s.Errorf("a secret is in the file %s", file)
	}
	if known < 12 {
		s.Errorf("the search found only %d of the files that hold secrets", known)
	}
	s.want(host, "find / -xdev -type f \\( -name core -o -name 'core.[0-9]*' \\) ! -path '/proc/*' ! -path '/usr/*'; ls -A /var/lib/systemd/coredump 2>/dev/null", "")

	// What the controller left: its home and temporary directory, the inventory's directory, where it was started.
	for _, root := range []string{w.home, filepath.Dir(s.inventory), "."} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "hosts": // the disks of the hosts themselves
				return fs.SkipDir
			case !d.Type().IsRegular() || strings.HasSuffix(path, "_test.go") || d.Name() == "own.key": // these tests name what they look for, and the key is the user's
				return nil
			}
			text, err := os.ReadFile(path)
			if err == nil {
				in("the file "+path, string(text))
			}
			return err
		})
		if err != nil {
			s.Error(err)
		}
	}
	var events int
	for line := range bytes.Lines(s.heard.Bytes()) {
		if json.Valid(line) {
			events++
		}
	}
	if events < 40 {
		s.Errorf("only %d events were looked at", events)
	}
}
