//go:build linux

package lab

import (
	"context"
	"path/filepath"
	"strconv"
)

// cloudPackages are what images for clouds have beside a blank host's.
var cloudPackages = []string{"cloud-init", "e2fsprogs"}

// MakeCloudImage makes what hosts with user data boot from, if the cache lacks it.
func (l *Lab) MakeCloudImage(ctx context.Context) error {
	_, err := l.layers(ctx, HostOptions{Suite: "trixie", UserData: "#cloud-config\n"})
	return err
}

// seed is what cloud-init asks a cloud for, in the files where it looks first.
// Its network is the lab's, and it knows of no other source.
func (h *Host) seed(root, identity string) error {
	for path, content := range map[string]string{
		"etc/cloud/cloud.cfg.d/99-lab.cfg": "datasource_list: [NoCloud]\nnetwork: {config: disabled}\ndisable_root: false\nmanage_etc_hosts: false\n",
		"var/lib/cloud/seed/nocloud/meta-data": "instance-id: " + h.machineName() + "\nlocal-hostname: " + h.Name +
			"\npublic-keys:\n  - " + strconv.Quote(identity[:len(identity)-1]) + "\n",
		"var/lib/cloud/seed/nocloud/user-data": h.Options.UserData,
	} {
		if err := writeFile(filepath.Join(root, path), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
