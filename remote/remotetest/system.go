package remotetest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
)

// binaryMark is what programs of the simulation hold in place of machine code.
const binaryMark = "\x7fELF simulated\n"

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
		"alpine 3.22": {id: "alpine", version: "3.22.1", pretty: "Alpine Linux v3.22"},
		"rocky 8":     {id: "rocky", version: "8.10", pretty: "Rocky Linux 8.10 (Green Obsidian)", systemd: true, dnf: true},
		"rocky 9":     {id: "rocky", version: "9.6", pretty: "Rocky Linux 9.6 (Blue Onyx)", systemd: true, dnf: true},
		"fedora 42":   {id: "fedora", version: "42", pretty: "Fedora Linux 42 (Server Edition)", systemd: true, dnf: true},
		"arch":        {id: "arch", pretty: "Arch Linux", systemd: true},
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
	t := h.tree
	for _, d := range []string{
		"/bin", "/etc", "/root", "/run", "/sbin", "/srv", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin",
		"/usr/lib/openssh", "/var/lib", "/var/lib/dpkg/updates", "/var/lib/apt/lists", "/var/log", "/etc/apt/sources.list.d", "/home", "/opt", "/mnt",
	} {
		if err := t.mkdirAll(d); err != nil {
			return err
		}
	}
	_ = t.chmod(cred{}, "/root", 0o700)
	for _, d := range []string{"/tmp", "/var/tmp", "/run/lock"} {
		_ = t.mkdir(cred{}, d, 0o755)
		_ = t.chmod(cred{}, d, 0o777|fs.ModeSticky)
	}
	_ = t.symlink(cred{}, "/run", "/var/run")
	files := map[string]string{
		"/etc/hostname": h.name + "\n", "/etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\t" + h.name + "\n",
		"/etc/machine-id": strings.ReplaceAll(randomUUID(), "-", "") + "\n",
	}
	passwd := "root:x:0:0:root:/root:" + shellOf(h.options, "root") + "\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
	group := "root:x:0:\nadm:x:4:\nsudo:x:27:\nnogroup:x:65534:\n"
	if u := h.options.User; u != "root" {
		passwd += u + ":x:1000:1000::/home/" + u + ":" + shellOf(h.options, u) + "\n"
		group += u + ":x:1000:\n"
	}
	files["/etc/passwd"], files["/etc/group"] = passwd, group
	for name, content := range files {
		if err := t.writeFile(name, content, 0o644); err != nil {
			return err
		}
	}
	if err := t.writeFile("/usr/lib/os-release", f.osRelease(), 0o644); err != nil {
		return err
	}
	_ = t.symlink(cred{}, "../usr/lib/os-release", "/etc/os-release")
	if u := h.options.User; u != "root" {
		_ = t.mkdir(cred{}, "/home/"+u, 0o755)
		_ = t.chown(cred{}, "/home/"+u, 1000, 1000, false)
	}
	h.kernelFiles()
	have := basePrograms()
	if f.systemd {
		have = append(have, "systemctl", "journalctl")
	}
	if f.apt {
		have = append(have, "apt-get", "apt-cache", "dpkg", "dpkg-query")
	}
	if f.dnf {
		have = append(have, "dnf", "rpm", "curl")
		for _, d := range []string{repoDir, "/etc/pki/rpm-gpg", "/var/lib/rpm", "/var/lib/dnf", "/var/cache/dnf"} {
			if err := t.mkdirAll(d); err != nil {
				return err
			}
		}
		_ = t.writeFile("/var/lib/rpm/.rpm.lock", "", 0o644)
		_ = t.writeFile(repoDir+"/rocky.repo", "[baseos]\nname=Rocky Linux $releasever - BaseOS\nbaseurl=http://mirror.rocky.example/"+f.version+"/BaseOS\ngpgcheck=1\n", 0o644)
		for _, p := range []string{"glibc", "openssh-server", "sudo", "iproute", "ca-certificates", "rocky-release"} {
			h.packages[p] = "installed"
		}
	}
	if h.options.Privilege != SudoMissing || h.options.User == "root" {
		have = append(have, "sudo")
	}
	if h.options.CloudInit > 0 {
		have = append(have, "cloud-init")
	}
	for _, p := range have {
		h.addProgram("/usr/bin/" + p)
	}
	for _, p := range []string{"sh", "bash"} {
		_ = t.link(cred{}, "/usr/bin/"+p, "/bin/"+p)
	}
	_ = t.link(cred{}, "/usr/bin/true", "/bin/true")
	_ = t.link(cred{}, "/usr/bin/false", "/bin/false")
	if f.apt {
		h.addProgram("/usr/lib/apt/apt-helper")
		_ = t.writeFile("/etc/ssl/certs/ca-certificates.crt", "", 0o644)
		for _, p := range []string{"libc6", "openssh-server", "sudo", "iproute2", "ca-certificates"} {
			h.packages[p] = "installed"
		}
		for _, l := range []string{"/var/lib/dpkg/lock", "/var/lib/dpkg/lock-frontend", "/var/lib/apt/lists/lock"} {
			_ = t.writeFile(l, "", 0o640)
		}
	}
	if !h.options.NoSFTP {
		h.addProgram("/usr/lib/openssh/sftp-server")
	}
	if f.systemd {
		_ = t.mkdirAll("/run/systemd/system")
		_ = t.mkdirAll("/etc/systemd/system")
	}
	if f.systemd {
		h.setUnit("ssh", true, true)
	}
	return h.preinstallDocker()
}

func shellOf(o HostOptions, user string) string {
	if user == o.User {
		return o.LoginShell
	}
	return "/bin/bash"
}

func (h *Host) addProgram(name string) { _ = h.tree.writeFile(name, binaryMark, 0o755) }

// account looks a user up in /etc/passwd.
func (h *Host) account(user string) (cred, string) {
	for _, f := range h.database("/etc/passwd") {
		if len(f) >= 6 && f[0] == user {
			uid, _ := strconv.Atoi(f[2])
			gid, _ := strconv.Atoi(f[3])
			return cred{uid: uid, gid: gid}, f[5]
		}
	}
	return cred{uid: 65534, gid: 65534}, "/"
}

func (h *Host) login(user string) cred { c, _ := h.account(user); return c }

// database reads a file of colon-separated lines.
func (h *Host) database(name string) (out [][]string) {
	b, _ := h.tree.readFile(name)
	for l := range strings.Lines(string(b)) {
		out = append(out, strings.Split(strings.TrimRight(l, "\n"), ":"))
	}
	return out
}

// nameOf is a user's or group's name for a number, the number itself where there is none.
func (h *Host) nameOf(database string, id int) string {
	for _, f := range h.database(database) {
		if len(f) > 2 && f[2] == strconv.Itoa(id) {
			return f[0]
		}
	}
	return strconv.Itoa(id)
}

func (h *Host) idOf(database, name string) (int, bool) {
	if n, err := strconv.Atoi(name); err == nil {
		return n, n >= 0
	}
	for _, f := range h.database(database) {
		if len(f) > 2 && f[0] == name {
			n, err := strconv.Atoi(f[2])
			return n, err == nil
		}
	}
	return 0, false
}

func (h *Host) blocks() (total, free int64) {
	h.tree.mu.Lock()
	defer h.tree.mu.Unlock()
	return int64(h.options.DiskMiB) << 20, max(h.tree.capacity-h.tree.used, 0)
}

// kernelFiles are /dev and /proc.
func (h *Host) kernelFiles() {
	const char = fs.ModeDevice | fs.ModeCharDevice | 0o666
	for _, d := range []string{"null", "zero", "urandom", "full", "tty"} {
		h.tree.special("/dev/"+d, node{mode: char, device: d})
	}
	h.tree.special("/dev/random", node{mode: char, device: "urandom"})
	h.tree.special("/dev/shm", node{mode: fs.ModeDir | fs.ModeSticky | 0o777})
	gen := func(name string, f func() string) {
		h.tree.special(name, node{mode: 0o444, gen: func() []byte { return []byte(f()) }})
	}
	gen("/proc/meminfo", func() string {
		kb := h.options.MemoryMiB * 1024
		return fmt.Sprintf("MemTotal:       %8d kB\nMemFree:        %8d kB\nMemAvailable:   %8d kB\n", kb, kb*7/10, kb*8/10)
	})
	gen("/proc/uptime", func() string { return "1000.00 4000.00\n" })
	gen("/proc/loadavg", func() string { return "0.00 0.01 0.05 1/123 4567\n" })
	gen("/proc/locks", h.lockTable)
	gen("/proc/sys/kernel/random/boot_id", func() string { h.mu.Lock(); defer h.mu.Unlock(); return h.bootID + "\n" })
	gen("/proc/sys/kernel/random/uuid", func() string { return randomUUID() + "\n" })
	gen("/proc/sys/kernel/core_pattern", func() string { return "core\n" })
	gen("/proc/sys/fs/suid_dumpable", func() string { return "0\n" })
	gen("/proc/net/tcp", h.tcpTable)
	gen("/proc/net/tcp6", func() string { return tcpHeader })
	gen("/proc/net/route", h.routeTable)
	// Last, for nobody makes a file in /proc.
	if proc, err := h.tree.find(cred{}, "/proc", true); err == nil {
		proc.list = h.procDirs
	}
}

// procDirs are the directories of the running processes. The tree's lock is held.
func (h *Host) procDirs() map[string]*node {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]*node{}
	file := func(content string) *node {
		return &node{mode: 0o444, nlink: 1, gen: func() []byte { return []byte(content) }}
	}
	add := func(pid, ppid, pgid int, argv []string, start int64) {
		comm := "?"
		if len(argv) > 0 {
			if comm = path.Base(argv[0]); len(comm) > 15 {
				comm = comm[:15]
			}
		}
		stat := fmt.Sprintf("%d (%s) S %d %d %d 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 %d 2600960 0", pid, comm, ppid, pgid, pgid, start)
		out[strconv.Itoa(pid)] = &node{mode: fs.ModeDir | 0o555, nlink: 2, children: map[string]*node{
			"comm": file(comm + "\n"), "stat": file(stat + "\n"),
			"cmdline": file(strings.Join(argv, "\x00") + "\x00"),
			"status":  file(fmt.Sprintf("Name:\t%s\nState:\tS (sleeping)\nPid:\t%d\nPPid:\t%d\n", comm, pid, ppid)),
		}}
	}
	add(1, 0, 1, []string{"/sbin/init"}, 1)
	for pid, p := range h.procs {
		add(pid, p.ppid, p.pgid, p.argv, p.start.UnixMilli()/10)
	}
	for i, name := range h.portOwners() {
		add(400+i, 1, 400+i, []string{name}, 100)
	}
	return out
}

func (h *Host) portOwners() []string {
	var out []string
	for _, p := range h.options.Ports {
		out = append(out, p.Process)
	}
	return out
}

const tcpHeader = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

// listening are the TCP ports that something listens on, with its process.
func (h *Host) listening() []Port {
	out := append([]Port{{22, "sshd"}}, h.options.Ports...)
	return append(out, h.publishedPorts()...)
}

func (h *Host) tcpTable() string {
	s := tcpHeader
	for i, p := range h.listening() {
		s += fmt.Sprintf("%4d: 00000000:%04X 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 %d 1 0000000000000000 100 0 0 10 0\n", i, p.Number, 20000+i)
	}
	return s
}

func (h *Host) routeTable() string {
	s := "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	s += "eth0\t00000000\t010013C6\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
	for _, r := range append(slices.Clone(h.options.Interfaces), h.bridgeRoutes()...) {
		dev, cidr, ok := strings.Cut(r, " ")
		if !ok {
			dev, cidr = "eth0", r
		}
		if p, err := netip.ParsePrefix(cidr); err == nil && p.Addr().Is4() {
			a := p.Masked().Addr().As4()
			mask := ^uint32(0) << (32 - p.Bits())
			s += fmt.Sprintf("%s\t%02X%02X%02X%02X\t00000000\t0001\t0\t0\t0\t%02X%02X%02X%02X\t0\t0\t0\n", dev, a[3], a[2], a[1], a[0],
				byte(mask), byte(mask>>8), byte(mask>>16), byte(mask>>24))
		}
	}
	return s
}

func randomUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	x := hex.EncodeToString(b[:])
	return strings.Join([]string{x[:8], x[8:12], x[12:16], x[16:20], x[20:]}, "-")
}

// basePrograms are in every simulated system.
func basePrograms() []string {
	apart := map[string]bool{
		"docker": true, "dockerd": true, "systemctl": true, "journalctl": true, "apt-get": true, "apt-cache": true,
		"apt-helper": true, "dnf": true, "rpm": true, "curl": true, "nft": true, "dpkg": true, "dpkg-query": true, "sudo": true, "cloud-init": true, "sftp-server": true,
	}
	var out []string
	for name := range maps.Keys(programs()) {
		if !apart[name] {
			out = append(out, name)
		}
	}
	return out
}

// mayLack names programs that a host may or may not have; a script that looks for them is not wrong.
func mayLack(name string) bool {
	return slices.Contains([]string{
		"docker", "dockerd", "docker-compose", "podman", "cloud-init", "sudo", "doas", "python3", "systemctl", "apk", "dnf",
		"rpm", "apt-get", "apt-cache", "dpkg-query", "rc-service", "firewall-cmd", "ufw", "nft", "fuser", "lsof", "curl", "wget", "nginx", "timedatectl", "chronyc", "restorecon",
	}, name)
}
