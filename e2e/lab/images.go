//go:build linux

package lab

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
)

// imagesRecipe changes when the images are made in another way.
const imagesRecipe = "2"

// imageNames are the images that the lab's mirror serves. They are made from
// Debian's packages, this machine's CPython 3.8 and Caddy's module, and keep to
// the contracts of the upstream images of the same name.
var imageNames = []string{"python:3.8-slim", "postgres:13.3", "caddy:2"}

// cpythonLibraries are the Debian 12 packages that CPython's modules link to.
const cpythonLibraries = "libbz2-1.0,libcom-err2,libcrypt1,libexpat1,libffi8,libgssapi-krb5-2,liblzma5,libncursesw6,libnsl2,libreadline8,libsqlite3-0,libssl3,libtirpc3,libuuid1,zlib1g"

const caddyModule = "github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.9"

//go:embed rootfs/postgres-entrypoint.sh
var postgresEntrypoint string

// images returns the OCI layout of all images.
func images(ctx context.Context, log Log, m machine) (string, error) {
	python, err := cpython()
	if err != nil {
		return "", err
	}
	key := digest(imagesRecipe, cpythonLibraries, caddyModule, postgresEntrypoint, python, m.mirror, m.aptConf, string(m.extraCA))
	return cached(ctx, log, "images", key, func(ctx context.Context, dir string) error {
		work := filepath.Join(dir, "work")
		l, err := newLayout(dir)
		if err != nil {
			return err
		}
		b := imageBuilder{layout: l, machine: m, work: work, log: log}
		if err := b.python(ctx, python); err != nil {
			return fmt.Errorf("python:3.8-slim: %w", err)
		}
		if err := b.postgres(ctx); err != nil {
			return fmt.Errorf("postgres:13.3: %w", err)
		}
		if err := b.caddy(ctx); err != nil {
			return fmt.Errorf("caddy:2: %w", err)
		}
		if err := removeTree(work); err != nil {
			return err
		}
		return l.finish()
	})
}

type imageBuilder struct {
	layout  *layout
	machine machine
	work    string
	log     Log
}

// root bootstraps a Debian without this machine's settings in it.
func (b *imageBuilder) root(ctx context.Context, suite, name, include string) (string, error) {
	dir := filepath.Join(b.work, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := debootstrap(ctx, b.machine, suite, dir, include); err != nil {
		return "", err
	}
	return dir, nil
}

// publish takes out of a root what belongs to this machine or serves no
// container.
func publish(root, suite string) error {
	sources := fmt.Sprintf("# %s; no package is installed in containers of this image\n", suite)
	if err := writeFile(filepath.Join(root, "etc/apt/sources.list"), sources, 0o644); err != nil {
		return err
	}
	if err := trim(root); err != nil {
		return err
	}
	for _, pattern := range []string{
		"usr/share/doc/*", "usr/share/man/*", "usr/share/info/*", "usr/share/locale/*", "usr/share/i18n/*", "var/cache/debconf/*-old", "var/lib/dpkg/*-old",
		"etc/hostname", "etc/resolv.conf", "etc/machine-id", "var/lib/dbus/machine-id", "dev/*", "run/*", "tmp/*", "var/log/apt",
		"etc/apt/apt.conf.d/90validity", "usr/sbin/policy-rc.d",
	} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return err
		}
		for _, p := range paths {
			if err := os.RemoveAll(p); err != nil {
				return err
			}
		}
	}
	lock := filepath.Join(root, "run/lock")
	if err := os.Mkdir(lock, 0o755); err != nil {
		return err
	}
	return os.Chmod(lock, 0o777|os.ModeSticky)
}

// cpython is the directory of a CPython 3.8 built for this machine's Debian.
func cpython() (string, error) {
	if dir := os.Getenv("PROVISION_LAB_PYTHON38"); dir != "" {
		return dir, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", err
	}
	dirs, err := filepath.Glob(filepath.Join(u.HomeDir, ".pyenv/versions/3.8.*"))
	if err != nil {
		return "", err
	}
	if len(dirs) == 0 {
		return "", errors.New("the image python:3.8-slim needs a CPython 3.8: run `pyenv install 3.8`, or name its directory in PROVISION_LAB_PYTHON38")
	}
	return dirs[len(dirs)-1], nil
}

func (b *imageBuilder) python(ctx context.Context, cpython string) error {
	root, err := b.root(ctx, "bookworm", "python-base", "ca-certificates,netbase,tzdata,"+cpythonLibraries)
	if err != nil {
		return err
	}
	if err := publish(root, "bookworm"); err != nil {
		return err
	}
	debian, err := b.layout.layer(ctx, root)
	if err != nil {
		return err
	}
	upper, err := b.above(root, "python", func(root string) error {
		pack := command(ctx, "tar", "-C", cpython, "-c", "--exclude=__pycache__", "--exclude=./lib/python3.8/test", "--exclude=./lib/python3.8/*/test*",
			"--exclude=*.a", "--exclude=./lib/python3.8/site-packages/*", "--exclude=./bin/pip*", ".")
		pipe, err := pack.StdoutPipe()
		if err != nil {
			return err
		}
		unpack := command(ctx, "tar", "--no-same-owner", "-C", filepath.Join(root, "usr/local"), "-x")
		unpack.Stdin = pipe
		if err := pack.Start(); err != nil {
			return err
		}
		_, err = runCmd(unpack)
		if err := errors.Join(err, pack.Wait()); err != nil {
			return fmt.Errorf("copying %s: %w", cpython, err)
		}
		// What was built for another place must not look for itself there.
		_, err = run(ctx, "sh", "-c", `grep -rlIF -- "$1" "$2/usr/local" | while read -r f; do sed -i "s|$1|/usr/local|g" "$f" || exit 1; done`, "sh", cpython, root)
		if err != nil {
			return err
		}
		for _, args := range [][]string{
			{"ldconfig"},
			{"ln", "-sf", "python3.8", "/usr/local/bin/python"},
			{"/usr/local/bin/python3.8", "-m", "ensurepip", "--default-pip"},
			{"/usr/local/bin/python3", "-c", "import ssl, sqlite3, ctypes, lzma, bz2, zlib, readline, uuid, curses, encodings.idna"},
			{"find", "/usr/local", "-name", "__pycache__", "-prune", "-exec", "rm", "-r", "{}", "+"},
			{"rm", "-rf", "/root/.cache", "/tmp/*"},
		} {
			if err := inRoot(ctx, root, args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	layer, err := b.layout.layer(ctx, upper)
	if err != nil {
		return err
	}
	return b.layout.add(imageNames[0], imageConfig{
		Env: []string{"PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "PYTHON_VERSION=" + filepath.Base(cpython)},
		Cmd: []string{"python3"},
	}, debian, layer)
}

// above returns what do changed of a root, which itself stays as it is.
func (b *imageBuilder) above(root, name string, do func(root string) error) (string, error) {
	dir := func(kind string) string { return filepath.Join(b.work, name+"."+kind) }
	for _, kind := range []string{"upper", "work", "root"} {
		if err := os.MkdirAll(dir(kind), 0o755); err != nil {
			return "", err
		}
	}
	if err := syscall.Mount("overlay", dir("root"), "overlay", 0, "lowerdir="+root+",upperdir="+dir("upper")+",workdir="+dir("work")); err != nil {
		return "", err
	}
	// Programs in it expect /dev/null and its like.
	err := syscall.Mount("/dev", filepath.Join(dir("root"), "dev"), "", syscall.MS_BIND, "")
	if err == nil {
		err = do(dir("root"))
	}
	return dir("upper"), errors.Join(err, unmountBelow(dir("root")))
}

// inRoot runs a command in a root file system, on this machine's network, with
// an environment of its own.
func inRoot(ctx context.Context, root string, args ...string) error {
	env := []string{root, "/usr/bin/env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	_, err := run(ctx, "chroot", append(env, args...)...)
	return err
}

func (b *imageBuilder) postgres(ctx context.Context) error {
	root, err := b.root(ctx, "bullseye", "postgres", "")
	if err != nil {
		return err
	}
	resolv, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return err
	}
	for path, content := range map[string]string{
		"etc/resolv.conf":                          string(resolv),
		"etc/apt/apt.conf.d/90validity":            b.machine.aptConf,
		"etc/postgresql-common/createcluster.conf": "create_main_cluster = false\n",
	} {
		if err := writeFile(filepath.Join(root, path), content, 0o644); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(root, "usr/sbin/policy-rc.d"), "#!/bin/sh\nexit 101\n", 0o755); err != nil {
		return err
	}
	ca := filepath.Join(root, "tmp/machine.pem")
	apt := []string{"apt-get", "-q", "-y", "-o", "Dpkg::Options::=--force-confold"}
	if bundle, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt"); err == nil && strings.HasPrefix(b.machine.mirror, "https:") {
		if err := writeFile(ca, string(bundle), 0o644); err != nil {
			return err
		}
		apt = append(apt, "-o", "Acquire::https::CaInfo=/tmp/machine.pem")
	}
	for _, args := range [][]string{
		{"groupadd", "--system", "--gid=999", "postgres"},
		{"useradd", "--system", "--gid=postgres", "--uid=999", "--home-dir=/var/lib/postgresql", "--shell=/bin/bash", "postgres"},
		append(apt[:len(apt):len(apt)], "update"),
		append(apt[:len(apt):len(apt)], "install", "--no-install-recommends", "postgresql-13", "gosu", "locales"),
		{"localedef", "-i", "en_US", "-c", "-f", "UTF-8", "-A", "/usr/share/locale/locale.alias", "en_US.UTF-8"},
		{"sed", "-i", "s/^#listen_addresses = .*/listen_addresses = '*'/", "/usr/share/postgresql/13/postgresql.conf.sample"},
		{"mkdir", "-p", "/var/lib/postgresql/data", "/var/run/postgresql", "/docker-entrypoint-initdb.d"},
		{"chown", "-R", "postgres:postgres", "/var/lib/postgresql", "/run/postgresql"},
		{"chmod", "0777", "/var/lib/postgresql/data"},
		// For the image of Caddy, below: that needs a userland, and no Debian.
		append(apt[:len(apt):len(apt)], "install", "--download-only", "--no-install-recommends", "busybox-static"),
	} {
		if err := inRoot(ctx, root, args...); err != nil {
			return err
		}
	}
	debs, err := filepath.Glob(filepath.Join(root, "var/cache/apt/archives/busybox-static_*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("apt left %d packages of busybox-static (%w)", len(debs), err)
	}
	if _, err := run(ctx, "dpkg-deb", "-x", debs[0], filepath.Join(b.work, "busybox")); err != nil {
		return err
	}
	if err := publish(root, "bullseye"); err != nil {
		return err
	}
	// publish empties /run
	if err := inRoot(ctx, root, "install", "-d", "-o", "postgres", "-g", "postgres", "-m", "02777", "/run/postgresql"); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(root, "usr/local/bin/docker-entrypoint.sh"), postgresEntrypoint, 0o755); err != nil {
		return err
	}
	layer, err := b.layout.layer(ctx, root)
	if err != nil {
		return err
	}
	return b.layout.add(imageNames[1], imageConfig{
		Env:          []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/13/bin", "LANG=en_US.utf8", "PG_MAJOR=13", "PGDATA=/var/lib/postgresql/data"},
		Entrypoint:   []string{"docker-entrypoint.sh"},
		Cmd:          []string{"postgres"},
		StopSignal:   "SIGINT",
		Volumes:      map[string]struct{}{"/var/lib/postgresql/data": {}},
		ExposedPorts: map[string]struct{}{"5432/tcp": {}},
	}, layer)
}

// BuildCaddy makes the program caddy in an absolute directory: the release that the lab's image has.
func BuildCaddy(ctx context.Context, dir string) error {
	_, version, _ := strings.Cut(caddyModule, "@")
	build := command(ctx, "go", "install", "-trimpath", "-ldflags=-s -w -X github.com/caddyserver/caddy/v2.CustomVersion="+version, caddyModule)
	build.Dir = os.TempDir() // outside any module
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOBIN="+dir)
	_, err := runCmd(build)
	return err
}

// caddy is Caddy over busybox, as upstream's is over Alpine's.
func (b *imageBuilder) caddy(ctx context.Context) error {
	root := filepath.Join(b.work, "caddy")
	for _, dir := range []string{"bin", "sbin", "usr/bin", "usr/sbin", "etc", "proc", "sys", "dev", "run", "root", "home", "var", "config/caddy", "data/caddy", "srv", "usr/share/caddy"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	for _, dir := range []string{"tmp", "var/tmp"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
		if err := os.Chmod(filepath.Join(root, dir), 0o777|os.ModeSticky); err != nil {
			return err
		}
	}
	roots, err := os.ReadFile(filepath.Join(b.work, "python-base/etc/ssl/certs/ca-certificates.crt"))
	if err != nil {
		return err
	}
	for path, content := range map[string]string{
		"etc/passwd":                        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
		"etc/group":                         "root:x:0:\nnobody:x:65534:\n",
		"etc/nsswitch.conf":                 "hosts: files dns\n",
		"etc/ssl/certs/ca-certificates.crt": string(roots),
		"etc/caddy/Caddyfile":               ":80\nroot * /usr/share/caddy\nfile_server\n",
		"usr/share/caddy/index.html":        "<!doctype html><title>Caddy works</title>\n",
	} {
		if err := writeFile(filepath.Join(root, path), content, 0o644); err != nil {
			return err
		}
	}
	if err := os.Rename(filepath.Join(b.work, "busybox/bin/busybox"), filepath.Join(root, "bin/busybox")); err != nil {
		return err
	}
	if _, err := run(ctx, "chroot", root, "/bin/busybox", "--install", "-s"); err != nil {
		return err
	}
	_, version, _ := strings.Cut(caddyModule, "@")
	if err := BuildCaddy(ctx, filepath.Join(root, "usr/bin")); err != nil {
		return err
	}
	if _, err := run(ctx, "setcap", "cap_net_bind_service=+ep", filepath.Join(root, "usr/bin/caddy")); err != nil {
		return err
	}
	layer, err := b.layout.layer(ctx, root)
	if err != nil {
		return err
	}
	return b.layout.add(imageNames[2], imageConfig{
		Env:          []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "CADDY_VERSION=" + version, "XDG_CONFIG_HOME=/config", "XDG_DATA_HOME=/data"},
		Cmd:          []string{"caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"},
		WorkingDir:   "/srv",
		ExposedPorts: map[string]struct{}{"80/tcp": {}, "443/tcp": {}, "443/udp": {}, "2019/tcp": {}},
	}, layer)
}
