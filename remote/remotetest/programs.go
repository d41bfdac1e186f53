package remotetest

import (
	"maps"
	"slices"

	"provision/remote/remotetest/unix"
)

// programs maps names to what they do on this host: the userland's programs, and those of a machine.
func (h *Host) programs() map[string]func(*unix.Proc) int {
	all := unix.Programs()
	for name, f := range machinePrograms() {
		all[name] = func(p *unix.Proc) int { return f(h.proc(p)) }
	}
	return all
}

// machinePrograms are those that know more than a system's files, processes and users.
func machinePrograms() map[string]func(*proc) int {
	return map[string]func(*proc) int{
		"sudo": sudoMain, "sftp-server": sftpServerMain,
		"systemctl": systemctlMain, "journalctl": journalctlMain, "cloud-init": cloudInitMain,
		"apt-get": aptGetMain, "apt-cache": aptCacheMain, "apt-helper": aptHelperMain,
		"dnf": dnfMain, "rpm": rpmMain, "curl": curlMain,
		"dpkg": dpkgMain, "dpkg-query": dpkgQueryMain,
		"ssh-keygen": sshKeygenMain, "iptables": iptablesMain, "iptables-restore": iptablesRestoreMain, "nft": nftMain, "blkid": blkidMain, "mkfs.ext4": mkfsMain, "findmnt": findmntMain,
		"mount": mountMain, "blockdev": blockdevMain, "dumpe2fs": dumpe2fsMain, "resize2fs": resize2fsMain,
		"docker": dockerMain, "dockerd": dockerdMain,
	}
}

// basePrograms are in every simulated system.
func (h *Host) basePrograms() []string {
	base := maps.Clone(h.sys.Programs)
	for _, apart := range []string{
		"docker", "dockerd", "systemctl", "journalctl", "apt-get", "apt-cache", "apt-helper", "dnf", "rpm", "curl", "nft", "dpkg", "dpkg-query",
		"sudo", "cloud-init", "sftp-server",
	} {
		delete(base, apart)
	}
	return slices.Collect(maps.Keys(base))
}

// mayLack names programs that a host may or may not have; a script that looks for them is not wrong.
func mayLack(name string) bool {
	return slices.Contains([]string{
		"docker", "dockerd", "docker-compose", "podman", "cloud-init", "sudo", "doas", "python3", "systemctl", "apk", "dnf",
		"rpm", "apt-get", "apt-cache", "dpkg-query", "rc-service", "firewall-cmd", "ufw", "nft", "fuser", "lsof", "curl", "wget", "nginx", "timedatectl", "chronyc", "restorecon",
	}, name)
}
