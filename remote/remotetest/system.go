package remotetest

import (
	"fmt"
	"strings"

	"provision/remote/remotetest/unix"
)

// family is what tells one Linux family from another.
type family struct {
	id, version, codename, pretty string
	systemd, apt, dnf             bool
	docker                        map[string]string // package to what it brings, for `apt-get install`
}

func families() map[string]family {
	debian := func(v, code string) family {
		return family{"debian", v, code, fmt.Sprintf("Debian GNU/Linux %s (%s)", v, code), true, true, false, nil}
	}
	ubuntu := func(v, code string) family {
		return family{"ubuntu", v, code, "Ubuntu " + v + " LTS", true, true, false, nil}
	}
	return map[string]family{
		"debian 11": debian("11", "bullseye"), "debian 12": debian("12", "bookworm"), "debian 13": debian("13", "trixie"),
		"ubuntu 22.04": ubuntu("22.04", "jammy"), "ubuntu 24.04": ubuntu("24.04", "noble"), "ubuntu 26.04": ubuntu("26.04", "resolute"),
		"alpine 3.22":  {id: "alpine", version: "3.22.1", pretty: "Alpine Linux v3.22"},
		"rocky 8":      {id: "rocky", version: "8.10", pretty: "Rocky Linux 8.10 (Green Obsidian)", systemd: true, dnf: true},
		"rocky 9":      {id: "rocky", version: "9.6", pretty: "Rocky Linux 9.6 (Blue Onyx)", systemd: true, dnf: true},
		"rhel 9":       {id: "rhel", version: "9.6", pretty: "Red Hat Enterprise Linux 9.6 (Plow)", systemd: true, dnf: true},
		"almalinux 10": {id: "almalinux", version: "10.0", pretty: "AlmaLinux 10.0 (Purple Lion)", systemd: true, dnf: true},
		"centos 10":    {id: "centos", version: "10", pretty: "CentOS Stream 10 (Coughlan)", systemd: true, dnf: true},
		"fedora 42":    {id: "fedora", version: "42", pretty: "Fedora Linux 42 (Server Edition)", systemd: true, dnf: true},
		"arch":         {id: "arch", pretty: "Arch Linux", systemd: true},
	}
}

func (h *Host) family() family { return families()[h.options.Distro] }

func (f family) osRelease() string {
	s := fmt.Sprintf("PRETTY_NAME=%q\nNAME=%q\n", f.pretty, strings.Fields(f.pretty)[0])
	if f.version != "" {
		s += fmt.Sprintf("VERSION_ID=%q\n", f.version)
	}
	if f.codename != "" {
		s += fmt.Sprintf("VERSION=%q\nVERSION_CODENAME=%s\n", f.version+" ("+f.codename+")", f.codename)
	}
	if f.id == "ubuntu" {
		s += "UBUNTU_CODENAME=" + f.codename + "\nID_LIKE=debian\n"
	}
	return s + "ID=" + f.id + "\n"
}

// install lays out the blank system.
func (h *Host) install() error {
	f, ok := families()[h.options.Distro]
	if !ok {
		return fmt.Errorf("no such distribution: %q", h.options.Distro)
	}
	t := h.sys.Tree
	have := h.basePrograms()
	if f.systemd {
		have = append(have, "systemctl", "journalctl")
	}
	if f.apt {
		have = append(have, "apt-get", "apt-cache", "dpkg", "dpkg-query")
	}
	if f.dnf {
		have = append(have, "dnf", "rpm", "curl")
	}
	if h.options.Privilege != SudoMissing || h.options.User == "root" {
		have = append(have, "sudo")
	}
	if h.options.CloudInit > 0 {
		have = append(have, "cloud-init")
	}
	if err := h.sys.Layout(have); err != nil {
		return err
	}
	for _, d := range []string{"/usr/lib/openssh", "/var/lib/dpkg/updates", "/var/lib/apt/lists", "/etc/apt/sources.list.d"} {
		if err := t.MkdirAll(d); err != nil {
			return err
		}
	}
	files := map[string]string{"/etc/machine-id": strings.ReplaceAll(unix.RandomUUID(), "-", "") + "\n"}
	if u := h.options.User; u == "root" {
		files["/etc/passwd"] = strings.Replace(h.file("/etc/passwd"), "/bin/bash", h.options.LoginShell, 1)
	} else {
		files["/etc/passwd"] = h.file("/etc/passwd") + u + ":x:1000:1000::/home/" + u + ":" + h.options.LoginShell + "\n"
		files["/etc/group"] = h.file("/etc/group") + u + ":x:1000:\n"
	}
	for name, content := range files {
		if err := t.WriteFile(name, content, 0o644); err != nil {
			return err
		}
	}
	if err := t.WriteFile("/usr/lib/os-release", f.osRelease(), 0o644); err != nil {
		return err
	}
	_ = t.Symlink(unix.Cred{}, "../usr/lib/os-release", "/etc/os-release")
	if u := h.options.User; u != "root" {
		_ = t.Mkdir(unix.Cred{}, "/home/"+u, 0o755)
		_ = t.Chown(unix.Cred{}, "/home/"+u, 1000, 1000, false)
	}
	if f.dnf {
		for _, d := range []string{repoDir, "/etc/pki/rpm-gpg", "/var/lib/rpm", "/var/lib/dnf", "/var/cache/dnf"} {
			if err := t.MkdirAll(d); err != nil {
				return err
			}
		}
		_ = t.WriteFile("/var/lib/rpm/.rpm.lock", "", 0o644)
		_ = t.WriteFile(repoDir+"/rocky.repo", "[baseos]\nname=Rocky Linux $releasever - BaseOS\nbaseurl=http://mirror.rocky.example/"+f.version+"/BaseOS\ngpgcheck=1\n", 0o644)
		for _, p := range []string{"glibc", "openssh-server", "sudo", "iproute", "ca-certificates", "rocky-release"} {
			h.packages[p] = "installed"
		}
	}
	if f.apt {
		h.sys.AddProgram("/usr/lib/apt/apt-helper")
		_ = t.WriteFile("/etc/ssl/certs/ca-certificates.crt", "", 0o644)
		for _, p := range []string{"libc6", "openssh-server", "sudo", "iproute2", "ca-certificates"} {
			h.packages[p] = "installed"
		}
		for _, l := range []string{"/var/lib/dpkg/lock", "/var/lib/dpkg/lock-frontend", "/var/lib/apt/lists/lock"} {
			_ = t.WriteFile(l, "", 0o640)
		}
	}
	if !h.options.NoSFTP {
		h.sys.AddProgram("/usr/lib/openssh/sftp-server")
	}
	if f.systemd {
		_ = t.MkdirAll("/run/systemd/system")
		_ = t.MkdirAll("/etc/systemd/system")
	}
	if f.systemd {
		h.setUnit("ssh", true, true)
	}
	return h.preinstallDocker()
}

// file is the text of a file that is there.
func (h *Host) file(name string) string {
	b, _ := h.sys.Tree.ReadFile(name)
	return string(b)
}

// routes are the host's own and those to the engine's networks.
func (h *Host) routes() []string {
	var out []string
	for _, r := range h.options.Interfaces {
		if !strings.Contains(r, " ") {
			r = "eth0 " + r
		}
		out = append(out, r)
	}
	return append(out, h.bridgeRoutes()...)
}
