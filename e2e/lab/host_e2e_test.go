//go:build linux && e2e

package lab

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newLab(t *testing.T, o Options) *Lab {
	t.Helper()
	if missing := Missing(); missing != "" {
		t.Skip(missing)
	}
	o.Log = t.Logf
	l, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return l
}

func newHost(t *testing.T, l *Lab, o HostOptions) *Host {
	t.Helper()
	h, err := l.Host(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// sshInto runs a line on the host as a user would, verifying its key.
func sshInto(ctx context.Context, h *Host, user, line string) (string, error) {
	return run(ctx, "ssh", "-F", "none", "-i", h.lab.IdentityFile, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5",
		"-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=none", "-o", "UserKnownHostsFile="+h.lab.KnownHostsFile, user+"@"+h.Address, line)
}

func TestBlankHost(t *testing.T) {
	l := newLab(t, Options{Name: "test-blank"})
	h := newHost(t, l, HostOptions{Name: "one", Users: []User{
		{Name: "free", Sudo: "nopasswd"}, {Name: "asked", Sudo: "password", Password: "pass word"}, {Name: "none", Shell: "/bin/sh"},
	}})
	ctx := t.Context()

	for _, tc := range []struct {
		user, line, want string
		fails            bool
	}{
		{user: "root", line: "id -un", want: "root\n"},
		{user: "root", line: "hostname", want: "one\n"},
		{user: "root", line: "systemctl is-system-running --wait", want: "running\n"},
		{user: "root", line: "command -v docker python3 curl", fails: true},
		{user: "free", line: "sudo -n id -un", want: "root\n"},
		{user: "asked", line: "sudo -n id -un", fails: true},
		{user: "asked", line: "echo 'pass word' | sudo -S id -un", want: "root\n"},
		{user: "none", line: "sudo -n id -un", fails: true},
		{user: "none", line: `getent passwd none | cut -d: -f7`, want: "/bin/sh\n"},
	} {
		got, err := sshInto(ctx, h, tc.user, tc.line)
		if tc.fails != (err != nil) || got != tc.want {
			t.Errorf("%s: %s: %q, %v", tc.user, tc.line, got, err)
		}
	}
	if err := os.WriteFile(l.KnownHostsFile, []byte(h.Address+" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFXoAr4Yd9JK0nVAqTPrAgXzN2dhMLkkxpGtNTtk0Kcr\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sshInto(ctx, h, "root", "true"); err == nil || !strings.Contains(err.Error(), "Host key verification failed") {
		t.Errorf("with another key known: %v", err)
	}
	if out, err := h.Shell(ctx, "apt-get update -q 2>&1 | tail -1"); err != nil || strings.Contains(out, "Err") {
		t.Errorf("apt-get update: %q, %v", out, err)
	}
}

func TestPower(t *testing.T) {
	l := newLab(t, Options{Name: "test-power"})
	h := newHost(t, l, HostOptions{Name: "one"})
	ctx := t.Context()
	keys := h.HostKeys
	for _, off := range []struct {
		name string
		do   func(context.Context) error
	}{{"in order", h.PowerOff}, {"plug pulled", h.Kill}} {
		if _, err := h.Shell(ctx, "echo kept >> /root/file && sync"); err != nil {
			t.Fatal(err)
		}
		if err := off.do(ctx); err != nil {
			t.Fatalf("%s: %v", off.name, err)
		}
		if _, err := h.Exec(ctx, "true"); err == nil || h.Running() {
			t.Errorf("%s: the host still runs", off.name)
		}
		if err := h.Start(ctx); err != nil {
			t.Fatalf("%s: start: %v", off.name, err)
		}
	}
	if got, err := sshInto(ctx, h, "root", "cat file"); err != nil || got != "kept\nkept\n" {
		t.Errorf("after two reboots: %q, %v", got, err)
	}
	// A host that reboots itself comes back without the lab's help.
	const booted = "systemctl show --property=UserspaceTimestampMonotonic --value"
	first, err := h.Shell(ctx, booted)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sshInto(ctx, h, "root", "systemctl reboot"); err != nil {
		t.Logf("ssh ended with: %v", err) // the connection may go first
	}
	back := func() bool {
		now, err := sshInto(ctx, h, "root", booted)
		return err == nil && now != first
	}
	for deadline := time.Now().Add(time.Minute); !back(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the host did not come back from its own reboot")
		}
	}
	if err := h.Blank(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err := sshInto(ctx, h, "root", "ls /root"); err != nil || got != "" {
		t.Errorf("blanked: %q, %v", got, err)
	}
	if diff := cmp.Diff(keys, h.HostKeys); diff != "" {
		t.Errorf("host keys after blanking (-before +after):\n%s", diff)
	}
}

func TestDropIsSilence(t *testing.T) {
	l := newLab(t, Options{Name: "test-drop"})
	h, other := newHost(t, l, HostOptions{Name: "one"}), newHost(t, l, HostOptions{Name: "two"})
	ctx := t.Context()
	c, err := net.Dial("tcp", h.Address+":22")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := h.Drop(ctx, true); err != nil {
		t.Fatal(err)
	}
	_, err = net.DialTimeout("tcp", h.Address+":22", 2*time.Second)
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("dialling a silent host: %v", err)
	}
	if _, err := other.Shell(ctx, "timeout 2 bash -c '</dev/tcp/"+h.Address+"/22'"); err == nil {
		t.Error("a silent host answers its neighbour")
	}
	if _, err := h.Exec(ctx, "true"); err != nil {
		t.Errorf("looking into a silent host: %v", err)
	}
	if err := h.Drop(ctx, false); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4)
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Read(buf); err != nil || string(buf) != "SSH-" {
		t.Errorf("the old connection after the silence: %q, %v", buf, err)
	}
	if _, err := sshInto(ctx, h, "root", "true"); err != nil {
		t.Error(err)
	}
}

func TestLatency(t *testing.T) {
	l := newLab(t, Options{Name: "test-latency"})
	h := newHost(t, l, HostOptions{Name: "one"})
	err := h.Latency(t.Context(), 100*time.Millisecond)
	if errors.Is(err, ErrNoLatency) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	c, err := net.Dial("tcp", h.Address+":22")
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if took := time.Since(start); took < 100*time.Millisecond || took > time.Second {
		t.Errorf("a handshake took %s", took)
	}
}

func TestBlankHostInstallsDockerAndPulls(t *testing.T) {
	l := newLab(t, Options{Name: "test-pull", ImageSets: ImageSets()})
	ctx := t.Context()
	h := newHost(t, l, HostOptions{Name: "one", Packages: dockerPackages})
	if err := l.StartMirror(ctx); err != nil {
		t.Fatal(err)
	}
	if out, err := h.Exec(ctx, "docker", "info", "--format", "{{.Driver}}"); err != nil || out != "overlay2\n" {
		t.Errorf("storage driver: %q, %v", out, err)
	}
	for _, im := range imageTable {
		if _, err := h.Exec(ctx, "docker", "pull", "-q", l.ImageMirror()+"/"+im.name); err != nil {
			t.Fatal(err)
		}
	}
	site, err := l.Site(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// A build gets packages from the machine's index, which may be behind a
	// proxy with a root of its own.
	trust := ""
	for _, path := range site.CACertificates {
		pem, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(h.path("root"), "srv/build/ca.pem"), string(pem))
		trust += "COPY ca.pem /usr/local/share/ca-certificates/site.crt\nRUN update-ca-certificates\nENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt\n"
	}
	for _, im := range imageTable {
		if im.cpython == "" {
			continue
		}
		write(t, filepath.Join(h.path("root"), "srv/build/Dockerfile"), "FROM "+l.ImageMirror()+"/"+im.name+"\nRUN pip --version\n"+trust+
			"RUN pip install --no-cache-dir -i "+site.PipIndex+" six==1.16.0 && python -c 'import six'\n")
		if _, err := h.Exec(ctx, "docker", "build", "-q", "/srv/build"); err != nil {
			t.Errorf("a build on %s: %v", im.name, err)
		}
	}
}

// contract looks into an image on a host that has it.
type contract struct {
	*testing.T
	host *Host
}

// ok wants this output of a line of shell.
func (c contract) ok(line, want string) {
	c.Helper()
	if got, err := c.host.Shell(c.Context(), line); err != nil || strings.TrimSpace(got) != want {
		c.Errorf("%s: %q, %v; want %q", line, got, err, want)
	}
}

// refused wants a line of shell to fail.
func (c contract) refused(why, line string) {
	c.Helper()
	if out, err := c.host.Shell(c.Context(), line); err == nil {
		c.Errorf("%s: %q", why, out)
	}
}

// hostWithImages is a host whose engine has the images of one set.
func hostWithImages(t *testing.T, name, set string) contract {
	t.Helper()
	l := newLab(t, Options{Name: name, ImageSets: []string{set}})
	return contract{t, newHost(t, l, HostOptions{Name: "one", Docker: true, Images: true})}
}

func (c contract) python(image, line string) {
	c.Helper()
	major, minor, _ := strings.Cut(line, ".")
	c.ok(`docker run --rm `+image+` python -c 'import sys, ssl, sqlite3, ctypes, lzma, bz2; print(sys.version_info[:2], sys.prefix, ssl.OPENSSL_VERSION.split(".")[0])'`,
		"("+major+", "+minor+") /usr/local OpenSSL 3")
	c.ok(`docker run --rm --user 10001 --read-only --cap-drop ALL `+image+` pip --version | cut -d' ' -f1,4-`, "pip /usr/local/lib/python"+line+"/site-packages/pip (python "+line+")")
	// Nothing that this machine has beside a CPython, and nothing of the build.
	c.ok(`docker run --rm `+image+` sh -c 'pip list --disable-pip-version-check --format=freeze | grep -v -e ^pip= -e ^setuptools=; ls /usr/sbin/policy-rc.d 2>/dev/null || true'`, "")
}

func (c contract) caddy() {
	c.Helper()
	c.ok(`docker run --rm caddy:2 sh -c 'cp /usr/bin/caddy /tmp/caddy && caddy version'`, caddyVersion())
	c.refused("Caddy's file capability does not stop it without capabilities", `docker run --rm --cap-drop ALL caddy:2 caddy version`)
}

func TestImagesKeepTheContracts(t *testing.T) {
	c := hostWithImages(t, "test-images", "gen2")
	c.python("python:3.8-slim", "3.8")
	c.caddy()
	c.postgres("postgres:13.3", "13", "md5")
}

func TestImagesOfGeneration3KeepTheContracts(t *testing.T) {
	c := hostWithImages(t, "test-images-3", "gen3")
	c.python("python:3.13-slim", "3.13")
	c.caddy()
	c.postgres("postgres:17", "17", "scram-sha-256")
	c.valkey()
}

// postgres is the contract of a major version, which asks clients for auth if
// it is told nothing.
func (c contract) postgres(image, major, auth string) {
	c.Helper()
	ctx, h := c.Context(), c.host
	_, err := h.Shell(ctx, `set -e
mkdir -p /srv/secrets && printf 'quote"d s3cret' > /srv/secrets/password
chown -R 999:999 /srv/secrets && chmod 0400 /srv/secrets/password && chmod 0500 /srv/secrets
docker run -d --name db --user 999:999 --read-only --cap-drop ALL --security-opt no-new-privileges \
 --tmpfs /var/run/postgresql:uid=999,gid=999 --tmpfs /tmp -v data:/var/lib/postgresql/data -v /srv/secrets:/run/secrets:ro \
 -e POSTGRES_DB=prefect -e POSTGRES_USER=prefect -e POSTGRES_PASSWORD_FILE=/run/secrets/password \
 -e POSTGRES_INITDB_ARGS='--auth-host=scram-sha-256 --data-checksums' -e POSTGRES_HOST_AUTH_METHOD=scram-sha-256 `+image+`
for i in $(seq 60); do docker exec db pg_isready -q -h 127.0.0.1 && exit 0; sleep 0.5; done; docker logs db >&2; exit 1`)
	if err != nil {
		c.Fatal(err)
	}
	ask := func(password, sql string) (string, error) {
		return h.Exec(ctx, "docker", "exec", "-e", "PGPASSWORD="+password, "db", "psql", "-h", "127.0.0.1", "-U", "prefect", "-d", "prefect", "-Atc", sql)
	}
	got, err := ask(`quote"d s3cret`, `select current_database(), current_setting('data_checksums'), current_setting('server_encoding'), current_setting('listen_addresses'), current_setting('server_version_num')::int / 10000`)
	if err != nil || got != "prefect|on|UTF8|*|"+major+"\n" {
		c.Errorf("the database: %q, %v", got, err)
	}
	if _, err := ask("wrong", "select 1"); err == nil {
		c.Error("a wrong password is taken")
	}
	if _, err := ask(`quote"d s3cret`, "create extension pg_trgm; create table kept as select similarity('word', 'words') > 0.5 as it"); err != nil {
		c.Error(err)
	}
	c.refused("the server's environment holds a password", `docker exec db sh -c 'tr "\0" "\n" < /proc/1/environ' | grep PASSWORD=`)
	c.ok(`docker stop db >/dev/null && docker inspect -f '{{.State.ExitCode}}' db`, "0")
	c.ok(`docker start db >/dev/null && until docker exec db pg_isready -q -h 127.0.0.1; do sleep 0.2; done; docker logs db 2>&1 | grep -c 'Skipping initialization'`, "1")
	if got, err := ask(`quote"d s3cret`, "select it from kept"); err != nil || got != "t\n" {
		c.Errorf("after a restart: %q, %v", got, err)
	}
	c.refused("a database without a password starts", `docker run --rm `+image)
	c.refused("two passwords are taken", `docker run --rm -e POSTGRES_PASSWORD=a -e POSTGRES_PASSWORD_FILE=/b `+image)
	c.ok(`docker run -d --name root -e POSTGRES_PASSWORD=a `+image+` -c max_connections=17 >/dev/null; for i in $(seq 60); do docker exec root psql -h 127.0.0.1 -U postgres -Atc 'show max_connections' 2>/dev/null && break; sleep 0.5; done`, "17")
	c.ok(`docker exec root stat -c %U /proc/1`, "postgres")
	c.ok(`docker exec root tail -n 1 /var/lib/postgresql/data/pg_hba.conf`, "host all all all "+auth)
}

func (c contract) valkey() {
	c.Helper()
	const run = `docker run --user 10001:10001 --read-only --cap-drop ALL --security-opt no-new-privileges `
	const answers = `for i in $(seq 40); do docker exec -e REDISCLI_AUTH=s3cret kv valkey-cli ping 2>/dev/null && break; sleep 0.25; done`
	if _, err := c.host.Shell(c.Context(), `install -d -o 10001 -g 10001 /srv/kv && `+run+`-d --name kv -v /srv/kv:/data valkey/valkey:8 valkey-server --requirepass s3cret --appendonly yes`); err != nil {
		c.Fatal(err)
	}
	c.ok(answers, "PONG")
	c.ok(`docker exec kv valkey-cli ping`, "NOAUTH Authentication required.")
	c.ok(`docker exec -e REDISCLI_AUTH=s3cret kv valkey-cli -h "$(docker inspect -f '{{.NetworkSettings.IPAddress}}' kv)" set kept it`, "OK")
	c.ok(`docker stop kv >/dev/null && docker inspect -f '{{.State.ExitCode}}' kv`, "0")
	c.ok(`docker start kv >/dev/null && `+answers, "PONG")
	c.ok(`docker exec -e REDISCLI_AUTH=s3cret kv valkey-cli get kept`, "it")
	c.ok(`docker exec kv sh -c 'cat /proc/1/comm; stat -c %u /proc/1'`, "valkey-server\n10001")
	c.refused("a server starts where it cannot write", run+`--rm valkey/valkey:8 valkey-server`)
	c.ok(run+`--rm valkey/valkey:8 sh -c 'valkey-server --version | cut -d. -f1'`, "Valkey server v=8")
	// Options alone, as root: it steps down.
	c.ok(`docker run -d --name kvroot valkey/valkey:8 --requirepass s3cret >/dev/null; for i in $(seq 40); do [ "$(docker exec kvroot cat /proc/1/comm)" = valkey-server ] && break; sleep 0.25; done; docker exec kvroot stat -c %U /proc/1 /data`, "valkey\nvalkey")
}

// TestKilledLabIsRemovedByTheNext runs itself as a process that makes a lab and
// dies without a chance to clean up.
func TestKilledLabIsRemovedByTheNext(t *testing.T) {
	const name = "test-killed"
	if os.Getenv("LAB_TO_BE_KILLED") != "" {
		l, err := New(t.Context(), Options{Name: name, Log: t.Logf})
		if err != nil {
			t.Fatal(err)
		}
		newHost(t, l, HostOptions{Name: "one"})
		if err := os.WriteFile(filepath.Join(l.Dir(), "ready"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	keeper := newLab(t, Options{Name: "test-keeper"})
	kept := newHost(t, keeper, HostOptions{Name: "one"})

	child := exec.Command(os.Args[0], "-test.run=^TestKilledLabIsRemovedByTheNext$")
	child.Env = append(os.Environ(), "LAB_TO_BE_KILLED=1")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(labsDir(), name)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			_ = child.Process.Kill()
			t.Fatal("the other process made no lab")
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	left, err := read(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	orphan := left.Hosts()[0]
	if !orphan.Running() {
		t.Fatal("the host ended with its process: nothing to show")
	}

	newLab(t, Options{Name: "test-next"})
	if orphan.Running() {
		t.Error("the killed lab's host still runs")
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the killed lab's directory is still there")
	}
	if mounted(filepath.Join(dir, "hosts/one/root")) {
		t.Error("the killed lab's disk is still mounted")
	}
	if _, err := kept.Exec(t.Context(), "true"); err != nil {
		t.Errorf("the living lab: %v", err)
	}
}

// Machines in one control group wait for each other's services to end.
func TestHostsDoNotShareControlGroups(t *testing.T) {
	l := newLab(t, Options{Name: "test-groups"})
	h, other := newHost(t, l, HostOptions{Name: "one"}), newHost(t, l, HostOptions{Name: "two"})
	ctx := t.Context()
	for _, each := range []*Host{h, other} {
		if _, err := each.Exec(ctx, "systemd-run", "--quiet", "--unit=same", "sleep", "1000"); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	if _, err := h.Exec(ctx, "systemctl", "stop", "same.service"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("stopping a service took %s", took)
	}
	if got, err := other.Exec(ctx, "systemctl", "is-active", "same.service"); err != nil || got != "active\n" {
		t.Errorf("the other host's service: %q, %v", got, err)
	}
}
