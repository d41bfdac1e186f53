//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// hostPackages are what a host has before the product comes: no Docker, no
// python3, no sftp beyond openssh's own.
const hostPackages = "systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,sudo,iproute2,ca-certificates,iptables,procps"

// baseRecipe changes when base does something else, so that caches follow.
const baseRecipe = "2"

// base returns the root file system of a blank host of the suite.
func base(ctx context.Context, log Log, m machine, suite string) (string, error) {
	key := digest(baseRecipe, hostPackages, m.mirror, m.securityMirror, m.aptConf, string(m.extraCA))
	return cached(ctx, log, "base-"+suite, key, func(ctx context.Context, dir string) error {
		if err := debootstrap(ctx, m, suite, dir, hostPackages); err != nil {
			return err
		}
		if err := m.install(ctx, dir, suite); err != nil {
			return err
		}
		// What must differ between hosts is not in the base.
		keys, err := filepath.Glob(filepath.Join(dir, "etc/ssh/ssh_host_*"))
		if err != nil {
			return err
		}
		for _, k := range append(keys, filepath.Join(dir, "etc/hostname"), filepath.Join(dir, "var/lib/dbus/machine-id")) {
			if err := os.RemoveAll(k); err != nil {
				return err
			}
		}
		if err := writeFile(filepath.Join(dir, "etc/machine-id"), "", 0o444); err != nil {
			return err
		}
		if _, err := run(ctx, "systemctl", "--root="+dir, "enable", "systemd-networkd.service"); err != nil {
			return err
		}
		// The kernel is the machine's: a host that tries to load modules is
		// degraded from its first minute.
		_, err = run(ctx, "systemctl", "--root="+dir, "mask", "systemd-modules-load.service")
		return err
	})
}

func debootstrap(ctx context.Context, m machine, suite, dir, include string) error {
	args := []string{"--variant=minbase"}
	if include != "" {
		args = append(args, "--include="+include)
	}
	cmd := command(ctx, "debootstrap", append(args, suite, dir, m.mirror)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	_, err := runCmd(cmd)
	return err
}

// install gives a root file system this machine's way to packages.
func (m machine) install(ctx context.Context, root, suite string) error {
	lines := []string{
		fmt.Sprintf("deb %s %s main", m.mirror, suite),
		fmt.Sprintf("deb %s %s-updates main", m.mirror, suite),
	}
	if m.securityMirror != "" {
		lines = append(lines, fmt.Sprintf("deb %s %s-security main", m.securityMirror, suite))
	}
	if err := writeFile(filepath.Join(root, "etc/apt/sources.list"), strings.Join(lines, "\n")+"\n", 0o644); err != nil {
		return err
	}
	if m.aptConf != "" {
		if err := writeFile(filepath.Join(root, "etc/apt/apt.conf.d/90validity"), m.aptConf, 0o644); err != nil {
			return err
		}
	}
	if len(m.extraCA) > 0 {
		for i, der := range certificates(m.extraCA) {
			path := filepath.Join(root, fmt.Sprintf("usr/local/share/ca-certificates/site-%d.crt", i+1))
			if err := writeFile(path, string(pemCertificate(der)), 0o644); err != nil {
				return err
			}
		}
		if _, err := run(ctx, "chroot", root, "update-ca-certificates"); err != nil {
			return err
		}
	}
	return trim(root)
}

// trim removes what only package installation left.
func trim(root string) error {
	for _, pattern := range []string{"var/lib/apt/lists/*", "var/cache/apt/*.bin", "var/cache/apt/archives/*.deb", "var/log/*.log"} {
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
