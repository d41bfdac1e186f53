//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
)

// imageBuilder makes the images of one set into a layout.
type imageBuilder struct {
	layout  *layout
	machine machine
	work    string
	log     Log
	pythons map[string]string // directories, by the line of CPython
	debians map[string]debian // made so far, by suite
}

// debian is the smallest system of a suite: what the images on it share.
type debian struct {
	root  string
	layer descriptor
}

// image makes what a row says.
func (b *imageBuilder) image(ctx context.Context, im image) error {
	below, err := b.debian(ctx, im.suite)
	if err != nil {
		return err
	}
	name := strings.NewReplacer("/", "-", ":", "-").Replace(im.name)
	if im.goModule != "" {
		root := filepath.Join(b.work, name)
		_, err := b.above(below.root, name+"-parts", func(parts string) error {
			if err := b.install(ctx, parts, im); err != nil {
				return err
			}
			if im.goModule == caddyModule {
				return caddyRoot(ctx, parts, root)
			}
			if err := busyboxRoot(ctx, parts, root); err != nil {
				return err
			}
			return goInstall(ctx, filepath.Join(root, "usr/bin"), im.goModule, "")
		})
		if err != nil {
			return err
		}
		return b.add(ctx, im, root)
	}
	upper, err := b.above(below.root, name, func(root string) error {
		if err := b.install(ctx, root, im); err != nil {
			return err
		}
		if im.cpython != "" {
			if err := installCPython(ctx, root, im.cpython, b.pythons[im.cpython]); err != nil {
				return err
			}
			im.config.Env = append(im.config.Env[:len(im.config.Env):len(im.config.Env)], "PYTHON_VERSION="+filepath.Base(b.pythons[im.cpython]))
		}
		if im.entrypoint != "" {
			if err := writeFile(filepath.Join(root, "usr/local/bin/docker-entrypoint.sh"), im.entrypoint, 0o755); err != nil {
				return err
			}
		}
		for _, args := range im.commands {
			if err := inRoot(ctx, root, args...); err != nil {
				return err
			}
		}
		return publish(root, im.suite)
	})
	if err != nil {
		return err
	}
	if err := whiteouts(upper); err != nil {
		return err
	}
	return b.add(ctx, im, upper, below.layer)
}

// add names the image of a directory over other layers.
func (b *imageBuilder) add(ctx context.Context, im image, dir string, below ...descriptor) error {
	layer, err := b.layout.layer(ctx, dir)
	if err != nil {
		return err
	}
	return b.layout.add(im.name, im.config, append(below, layer)...)
}

// debian bootstraps a suite once, without this machine's settings in it.
func (b *imageBuilder) debian(ctx context.Context, suite string) (debian, error) {
	if d, ok := b.debians[suite]; ok {
		return d, nil
	}
	d := debian{root: filepath.Join(b.work, suite)}
	if err := os.MkdirAll(d.root, 0o755); err != nil {
		return d, err
	}
	if err := debootstrap(ctx, b.machine, suite, d.root, ""); err != nil {
		return d, err
	}
	// Images find no device and no lock of this machine there.
	for _, dir := range []string{"dev", "run"} {
		if err := errors.Join(removeTree(filepath.Join(d.root, dir)), os.Mkdir(filepath.Join(d.root, dir), 0o755)); err != nil {
			return d, err
		}
	}
	lock := filepath.Join(d.root, "run/lock")
	if err := errors.Join(os.Mkdir(lock, 0o755), os.Chmod(lock, 0o777|os.ModeSticky)); err != nil {
		return d, err
	}
	if err := publish(d.root, suite); err != nil {
		return d, err
	}
	var err error
	d.layer, err = b.layout.layer(ctx, d.root)
	b.debians[suite] = d
	return d, err
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
		"etc/hostname", "etc/resolv.conf", "etc/machine-id", "var/lib/dbus/machine-id", "tmp/*", "var/log/apt",
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
	return nil
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

// whiteouts makes the marks of removed files, which an overlay leaves in its
// upper directory, those that layers of images have.
func whiteouts(upper string) error {
	return filepath.WalkDir(upper, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		dir, name := filepath.Split(path)
		if d.IsDir() {
			if n, _ := syscall.Getxattr(path, "trusted.overlay.opaque", make([]byte, 1)); n > 0 {
				return writeFile(filepath.Join(path, ".wh..wh..opq"), "", 0o644)
			}
			return nil
		}
		if d.Type()&fs.ModeCharDevice == 0 {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Rdev != 0 {
			return nil
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		return writeFile(filepath.Join(dir, ".wh."+name), "", 0o644)
	})
}

// inRoot runs a command in a root file system, on this machine's network, with
// an environment of its own.
func inRoot(ctx context.Context, root string, args ...string) error {
	env := []string{root, "/usr/bin/env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	_, err := run(ctx, "chroot", append(env, args...)...)
	return err
}

// install gives a root the row's user and packages. publish takes away what it
// needs for that.
func (b *imageBuilder) install(ctx context.Context, root string, im image) error {
	resolv, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return err
	}
	files := map[string]string{
		"etc/resolv.conf":               string(resolv),
		"etc/apt/sources.list":          fmt.Sprintf("deb %s %s main\n", b.machine.mirror, im.suite),
		"etc/apt/apt.conf.d/90validity": b.machine.aptConf,
	}
	maps.Copy(files, im.files)
	for path, content := range files {
		if err := writeFile(filepath.Join(root, path), content, 0o644); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(root, "usr/sbin/policy-rc.d"), "#!/bin/sh\nexit 101\n", 0o755); err != nil {
		return err
	}
	apt := []string{"apt-get", "-q", "-y", "-o", "Dpkg::Options::=--force-confold"}
	if bundle, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt"); err == nil && strings.HasPrefix(b.machine.mirror, "https:") {
		if err := writeFile(filepath.Join(root, "tmp/machine.pem"), string(bundle), 0o644); err != nil {
			return err
		}
		apt = append(apt, "-o", "Acquire::https::CaInfo=/tmp/machine.pem")
	}
	var steps [][]string
	if im.user != "" {
		steps = append(steps, []string{"groupadd", "--system", "--gid=999", im.user},
			[]string{"useradd", "--system", "--gid=" + im.user, "--uid=999", "--home-dir=" + im.home, "--shell=/bin/bash", im.user})
	}
	apt = apt[:len(apt):len(apt)]
	steps = append(steps, append(apt, "update"), append(append(apt, "install", "--no-install-recommends"), strings.Split(im.packages, ",")...))
	for _, args := range steps {
		if err := inRoot(ctx, root, args...); err != nil {
			return err
		}
	}
	return nil
}

// cpython is the directory of the CPython that the image gets: one built for
// this machine's Debian.
func cpython(im image) (string, error) {
	variable := "PROVISION_LAB_PYTHON" + strings.ReplaceAll(im.cpython, ".", "")
	if dir := os.Getenv(variable); dir != "" {
		return dir, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", err
	}
	dirs, err := filepath.Glob(filepath.Join(u.HomeDir, ".pyenv/versions", im.cpython+".*"))
	if err != nil {
		return "", err
	}
	if len(dirs) == 0 {
		return "", fmt.Errorf("the image %s needs a CPython %s: run `pyenv install %[2]s`, or name its directory in %s", im.name, im.cpython, variable)
	}
	return dirs[len(dirs)-1], nil
}

// installCPython copies a CPython to /usr/local of a root, without its tests
// and what else this machine installed into it.
func installCPython(ctx context.Context, root, line, from string) error {
	lib := "./lib/python" + line
	pack := command(ctx, "tar", "-C", from, "-c", "--exclude=__pycache__", "--exclude="+lib+"/test", "--exclude="+lib+"/*/test*",
		"--exclude=*.a", "--exclude="+lib+"/site-packages/*", "--exclude=./bin/pip*", ".")
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
		return fmt.Errorf("copying %s: %w", from, err)
	}
	// What was built for another place must not look for itself there.
	_, err = run(ctx, "sh", "-c", `grep -rlIF -- "$1" "$2/usr/local" | while read -r f; do sed -i "s|$1|/usr/local|g" "$f" || exit 1; done`, "sh", from, root)
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"ldconfig"},
		{"ln", "-sf", "python" + line, "/usr/local/bin/python"},
		{"/usr/local/bin/python" + line, "-m", "ensurepip", "--default-pip"},
		{"/usr/local/bin/python3", "-c", "import ssl, sqlite3, ctypes, lzma, bz2, zlib, readline, uuid, curses, encodings.idna"},
		{"find", "/usr/local", "-name", "__pycache__", "-prune", "-exec", "rm", "-r", "{}", "+"},
		{"rm", "-rf", "/root/.cache"},
	} {
		if err := inRoot(ctx, root, args...); err != nil {
			return err
		}
	}
	return nil
}

// busyboxRoot is what images of one Go program are over, as upstream's are over
// Alpine. parts is a Debian that has what it needs.
func busyboxRoot(ctx context.Context, parts, root string) error {
	for _, dir := range []string{"bin", "sbin", "usr/bin", "usr/sbin", "etc", "proc", "sys", "dev", "run", "root", "home", "var"} {
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
	roots, err := os.ReadFile(filepath.Join(parts, "etc/ssl/certs/ca-certificates.crt"))
	if err != nil {
		return err
	}
	for path, content := range map[string]string{
		"etc/passwd":                        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
		"etc/group":                         "root:x:0:\nnobody:x:65534:\n",
		"etc/nsswitch.conf":                 "hosts: files dns\n",
		"etc/ssl/certs/ca-certificates.crt": string(roots),
	} {
		if err := writeFile(filepath.Join(root, path), content, 0o644); err != nil {
			return err
		}
	}
	// Debian's /bin is a link to usr/bin.
	if _, err := run(ctx, "cp", filepath.Join(parts, "usr/bin/busybox"), filepath.Join(root, "bin/busybox")); err != nil {
		return err
	}
	_, err = run(ctx, "chroot", root, "/bin/busybox", "--install", "-s")
	return err
}

// caddyRoot is Caddy over it.
func caddyRoot(ctx context.Context, parts, root string) error {
	if err := busyboxRoot(ctx, parts, root); err != nil {
		return err
	}
	for _, dir := range []string{"config/caddy", "data/caddy", "srv"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	for path, content := range map[string]string{
		"etc/caddy/Caddyfile":        ":80\nroot * /usr/share/caddy\nfile_server\n",
		"usr/share/caddy/index.html": "<!doctype html><title>Caddy works</title>\n",
	} {
		if err := writeFile(filepath.Join(root, path), content, 0o644); err != nil {
			return err
		}
	}
	if err := BuildCaddy(ctx, filepath.Join(root, "usr/bin")); err != nil {
		return err
	}
	_, err := run(ctx, "setcap", "cap_net_bind_service=+ep", filepath.Join(root, "usr/bin/caddy"))
	return err
}
