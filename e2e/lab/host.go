//go:build linux

package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// HostOptions say what a host is before anybody logs in. The zero value with a
// name is a blank Debian 13 without Docker.
type HostOptions struct {
	Name     string
	Suite    string   // "trixie" by default, "bookworm"
	Docker   bool     // Docker and Compose from Debian are installed already
	Images   bool     // with Docker: the lab's images are loaded already
	Packages []string // further Debian packages
	Users    []User   // beside root, who has the lab's key, too
	// UserData makes it a cloud's machine: its image has cloud-init and e2fsprogs,
	// and cloud-init makes of this and the lab's key what it makes of them there.
	UserData string
	// Disks are attached from the first boot on, by their names below /dev/disk/by-id.
	Disks map[string]*Disk
}

// User is a login on a host, with the lab's key.
type User struct {
	Name     string
	Sudo     string // "nopasswd", "password" or "none" (the default)
	Password string // its own, for Sudo "password"
	Shell    string // default /bin/bash
}

// Host is one machine of the lab. Its methods are not to be called at the same
// time, except Exec.
type Host struct {
	Name     string
	Number   int // in the order in which the hosts of its lab were made
	Address  string
	HostKeys []string // public, "TYPE BASE64" each
	Options  HostOptions
	Lower    []string // the read-only layers under its disk
	PID      int      // of the process that holds the machine; 0 when off
	Started  string   // of that process, so that a reused PID is not mistaken for it
	Apart    []string // addresses that it does not reach: of the hosts that those of its lab are copies of

	lab *Lab
	dir string
}

// Host makes a host and boots it; it returns once sshd answers.
func (l *Lab) Host(ctx context.Context, o HostOptions) (*Host, error) {
	if o.Suite == "" {
		o.Suite = "trixie"
	}
	if !validName.MatchString(o.Name) {
		return nil, fmt.Errorf("%q is no name for a host", o.Name)
	}
	lower, err := l.layers(ctx, o)
	if err != nil {
		return nil, err
	}
	h := &Host{Name: o.Name, Options: o, Lower: lower, lab: l, dir: filepath.Join(l.dir, "hosts", o.Name)}
	if err := l.reserve(ctx, h); err != nil {
		return nil, err
	}
	l.mu.Lock()
	h.Number = len(l.hosts)
	l.hosts = append(l.hosts, h)
	l.mu.Unlock()
	if err := h.prepare(ctx); err != nil {
		return nil, fmt.Errorf("preparing the host %s: %w", h.Name, err)
	}
	if err := h.Start(ctx); err != nil {
		return nil, err
	}
	if len(o.Packages) > 0 {
		if _, err := h.Exec(ctx, "apt-get", "update", "-q"); err != nil {
			return nil, err
		}
		install := append([]string{"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qy", "--no-install-recommends"}, o.Packages...)
		if _, err := h.Exec(ctx, install...); err != nil {
			return nil, err
		}
	}
	return h, l.recordKeys()
}

// recordKeys writes the known_hosts file of the lab.
func (l *Lab) recordKeys() error {
	var all strings.Builder
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.hosts {
		all.WriteString(h.KnownHosts())
	}
	return os.WriteFile(l.KnownHostsFile, []byte(all.String()), 0o644)
}

// layers are the read-only directories of a host's disk, lowest last.
func (l *Lab) layers(ctx context.Context, o HostOptions) ([]string, error) {
	root, err := base(ctx, l.log, l.machine, o.Suite)
	layers := []string{root}
	if err == nil && o.UserData != "" {
		var cloud string
		cloud, err = packageLayer(ctx, l, "cloud", o.Suite, root, cloudPackages)
		layers = append([]string{cloud}, layers...)
	}
	if err == nil && o.Docker {
		var docker string
		docker, err = dockerLayer(ctx, l, o.Suite, root)
		layers = append([]string{docker}, layers...)
	}
	return layers, err
}

func (h *Host) save() error { return saveJSON(filepath.Join(h.dir, "host.json"), h) }

func (h *Host) path(elem ...string) string { return filepath.Join(append([]string{h.dir}, elem...)...) }

// machineName is short, so that the kernel takes it whole in the name of the
// host's interface, and unique by the address.
func (h *Host) machineName() string { return fmt.Sprintf("provlab-%d", h.octet()) }

// prepare fills the upper layer with what is known before the first boot.
func (h *Host) prepare(ctx context.Context) error {
	identity, err := h.connect()
	if err != nil {
		return err
	}
	root := h.path("root")
	if h.Options.UserData != "" {
		if err := h.seed(root, identity); err != nil {
			return err
		}
	} else if h.HostKeys, err = hostKeys(ctx, root, h.Name); err != nil {
		return err
	}
	if len(h.Options.Disks) > 0 {
		if err := h.noteDisks(); err != nil {
			return err
		}
	}
	for _, u := range h.Options.Users {
		if err := h.addUser(ctx, u, identity); err != nil {
			return fmt.Errorf("user %s: %w", u.Name, err)
		}
	}
	if h.Options.Images {
		if err := h.giveImages(ctx); err != nil {
			return err
		}
	}
	return h.save()
}

// connect mounts the host's disk and writes to it what ties a host to its lab: name, address, mirror
// and the client's key, which it returns.
func (h *Host) connect() (identity string, err error) {
	for _, dir := range []string{"upper", "work", "root", "docker", "containerd"} {
		if err := os.MkdirAll(h.path(dir), 0o755); err != nil {
			return "", err
		}
	}
	if err := h.mount(); err != nil {
		return "", err
	}
	root := h.path("root")
	resolv, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return "", err
	}
	key, err := os.ReadFile(h.lab.IdentityFile + ".pub")
	if err != nil {
		return "", err
	}
	mirrorCA, err := os.ReadFile(filepath.Join(h.lab.dir, "mirror-ca.pem"))
	if err != nil {
		return "", err
	}
	type file struct {
		path, content string
		mode          os.FileMode
	}
	apart := ""
	for _, address := range h.Apart {
		apart += "\n[Route]\nDestination=" + address + "/32\nType=blackhole\n"
	}
	for _, f := range []file{
		{"etc/hostname", h.Name + "\n", 0o644},
		{"etc/hosts", "127.0.0.1 localhost\n127.0.1.1 " + h.Name + "\n::1 localhost ip6-localhost ip6-loopback\n", 0o644},
		{"etc/resolv.conf", string(resolv), 0o644},
		{"etc/systemd/network/10-host0.network", "[Match]\nName=host0\n\n[Network]\nAddress=" + h.Address + "/24\nGateway=" + gateway + "\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n" + apart, 0o644},
		// A site that has a mirror of its own makes it known so.
		{"etc/docker/certs.d/" + h.lab.mirrorAddress() + "/ca.crt", string(mirrorCA), 0o644},
		{"root/.ssh/authorized_keys", string(key), 0o600},
	} {
		if err := writeFile(filepath.Join(root, f.path), f.content, f.mode); err != nil {
			return "", err
		}
	}
	return string(key), os.Chmod(filepath.Join(root, "root/.ssh"), 0o700)
}

func (h *Host) addUser(ctx context.Context, u User, identity string) error {
	root := h.path("root")
	shell := u.Shell
	if shell == "" {
		shell = "/bin/bash"
	}
	if _, err := run(ctx, "chroot", root, "useradd", "--create-home", "--shell", shell, u.Name); err != nil {
		return err
	}
	ssh := filepath.Join("/home", u.Name, ".ssh")
	if err := writeFile(filepath.Join(root, ssh, "authorized_keys"), identity, 0o600); err != nil {
		return err
	}
	if _, err := run(ctx, "chroot", root, "chown", "-R", u.Name+":", ssh); err != nil {
		return err
	}
	if u.Password != "" {
		cmd := command(ctx, "chroot", root, "chpasswd")
		cmd.Stdin = strings.NewReader(u.Name + ":" + u.Password + "\n")
		if _, err := runCmd(cmd); err != nil {
			return err
		}
	}
	sudoers := filepath.Join(root, "etc/sudoers.d", u.Name)
	switch u.Sudo {
	case "nopasswd":
		return writeFile(sudoers, u.Name+" ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)
	case "password":
		return writeFile(sudoers, u.Name+" ALL=(ALL:ALL) ALL\n", 0o440)
	case "", "none":
		return nil
	}
	return fmt.Errorf("sudo %q is none of nopasswd, password, none", u.Sudo)
}

func (h *Host) mount() error {
	if mounted(h.path("root")) {
		return nil
	}
	options := "lowerdir=" + strings.Join(h.Lower, ":") + ",upperdir=" + h.path("upper") + ",workdir=" + h.path("work")
	if err := syscall.Mount("overlay", h.path("root"), "overlay", 0, options); err != nil {
		return fmt.Errorf("mounting the disk of %s: %w", h.Name, err)
	}
	return nil
}

func mounted(dir string) bool {
	b, _ := os.ReadFile("/proc/self/mounts")
	return strings.Contains(string(b), " "+dir+" ")
}

// Start boots the host on the disk it has and returns once sshd answers. It
// does nothing if the host runs.
func (h *Host) Start(ctx context.Context) error {
	if h.Running() {
		return nil
	}
	if err := h.mount(); err != nil {
		return err
	}
	if err := h.forgetNeighbour(ctx); err != nil {
		return err
	}
	console, err := os.OpenFile(h.path("console.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = console.Close() }()
	groups, err := h.makeGroups()
	if err != nil {
		return fmt.Errorf("making the control groups of %s: %w", h.Name, err)
	}
	// Not bound to ctx: the machine is to outlive the call, and a kept one the
	// process.
	cmd := bootCommand(h, groups)
	cmd.Stdout, cmd.Stderr = console, console
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", h.Name, err)
	}
	h.PID, h.Started = cmd.Process.Pid, startTime(cmd.Process.Pid)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := h.save(); err != nil {
		return errors.Join(err, h.Kill(ctx))
	}
	if err := h.awaitSSH(ctx, ended); err != nil {
		return fmt.Errorf("booting %s (console in %s): %w", h.Name, h.path("console.log"), err)
	}
	return nil
}

func (h *Host) awaitSSH(ctx context.Context, ended <-chan error) error {
	ctx, cancel := within(ctx, 4*time.Minute)
	defer cancel()
	for {
		err := sshAnswers(ctx, h.Address)
		if err == nil {
			return nil
		}
		select {
		case gone := <-ended:
			return fmt.Errorf("the machine ended: %w", gone)
		case <-ctx.Done():
			return fmt.Errorf("sshd does not answer: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func sshAnswers(ctx context.Context, address string) error {
	ctx, cancel := within(ctx, 10*time.Second)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(address, "22"))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline)
	}
	banner, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.HasPrefix(banner, "SSH-2.0-") {
		err = fmt.Errorf("port 22 answers %q", banner)
	}
	return err
}
