package resource_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	. "provision/provision/resource"
)

// owned is a file's "UID:GID MODE".
func owned(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("stat", "-c", "%u:%g %a", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// An account of the host may have the uid of a container. What it has put into a directory that was
// the container's is not read by root, and root's directory it cannot change.
func TestSecretDirectoryIsRoots(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can give a directory to another user")
	}
	const uid = 4242
	dir := t.TempDir()
	for d := dir; d != "/"; d = filepath.Dir(d) { // the account can reach it
		if strings.HasPrefix(d, os.TempDir()+"/") {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	victim, secrets := filepath.Join(dir, "shadow"), filepath.Join(dir, "secrets", "postgres")
	if err := os.WriteFile(victim, []byte("of root"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(secrets, 0o755); err != nil {
		t.Fatal(err)
	}
	f := &SecretFile{Host: "h", Path: filepath.Join(secrets, "password"), UID: "4242", Generate: RandomHex}
	if err := os.Symlink(victim, f.Path); err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(f.Path, uid, uid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(secrets, uid, uid); err != nil {
		t.Fatal(err)
	}
	r := &Run{Host: func(context.Context, string) (Host, error) { return getter{}, nil }}
	if value, err := f.Read(t.Context(), r); err != nil || !value.Empty() {
		t.Errorf("root reads through the link: %q, %v", value.Reveal(), err)
	}
	for _, act := range []Act{Modify, Add} {
		if err := f.Do(t.Context(), r, Change{ID: f.ID(), Act: act}); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(f.Path)
	if info, lerr := os.Lstat(f.Path); err != nil || lerr != nil || !info.Mode().IsRegular() || len(content) != 64 {
		t.Errorf("the secret is %q: %v, %v", content, err, lerr)
	}
	if got := owned(t, f.Path); got != "4242:4242 400" {
		t.Errorf("the secret is %s", got)
	}
	if got := owned(t, secrets); got != "0:4242 550" {
		t.Errorf("the directory is %s", got)
	}
	if got, err := os.ReadFile(victim); err != nil || string(got) != "of root" || owned(t, victim) != "0:0 600" {
		t.Errorf("the file of root is %q, %s: %v", got, owned(t, victim), err)
	}
	as := func(script string) (string, error) {
		cmd := exec.Command("sh", "-c", script)
		cmd.Dir = secrets
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := as("cat password"); err != nil || out != string(content) {
		t.Errorf("the container cannot read its secret: %s %v", out, err)
	}
	for _, try := range []string{"ln -s ../../shadow other", "mv password other", "rm -f password", ": >new", "chmod 700 ."} {
		var exit *exec.ExitError
		if out, err := as(try); !errors.As(err, &exit) {
			t.Errorf("%s: done: %s %v", try, out, err)
		}
	}

	// What the probe says of it, before and after a hand has given it away again.
	probe := func() []Change {
		s := NewScript("n")
		f.Probe(s)
		out, err := Machine{}.Sh(t.Context(), s.String())
		if err != nil {
			t.Fatal(err, out)
		}
		facts, _ := s.Parse([]byte(out))
		return f.Diff(world{Facts: facts})
	}
	if got := probe(); len(got) != 0 {
		t.Errorf("differs: %+v", got)
	}
	if err := os.Chown(secrets, uid, uid); err != nil {
		t.Fatal(err)
	}
	if got := probe(); len(got) != 1 || got[0].Why != "owner and mode of its directory are 4242:4242 550, should be 0:4242 550" {
		t.Errorf("a directory given away: %+v", got)
	}
}

// getter is a machine that values are read from, too.
type getter struct{ Machine }

func (g getter) Get(ctx context.Context, script string) (string, error) { return g.Sh(ctx, script) }
