//go:build linux

package lab

import (
	"context"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
)

// rpmStandIns makes the repositories of rpm packages, in a directory that has the stand-ins for Docker's as debs.
//
//go:embed rpmrepo.sh
var rpmStandIns string

// RPMPackages are Debian's packages that a host needs to be taken for one of the Red Hat family: dnf and rpm themselves, and what
// the stand-ins for Docker's packages would have as dependencies there.
var RPMPackages = []string{"dnf", "rpm", "curl", "iptables", "tini", "libseccomp2", "libdevmapper1.02.1"}

// rpmPackagesDir holds a repository per state of DockerRepository, that of the family's own packages, and two public keys.
func rpmPackagesDir(ctx context.Context, l *Lab) (string, error) {
	debs, err := dockerPackagesDir(ctx, l)
	if err != nil {
		return "", err
	}
	return cached(ctx, l.log, "rpm-packages", digest(filepath.Base(debs), rpmStandIns), func(ctx context.Context, dir string) error {
		const name = "maker-of-rpm-packages"
		h, err := l.Host(ctx, HostOptions{Name: name, Packages: []string{"rpm", "createrepo-c", "gnupg"}})
		if err != nil {
			return errors.Join(err, l.discard(ctx, name))
		}
		pack := func() error {
			work := h.path("root", "root/rpms")
			if err := os.Mkdir(work, 0o755); err != nil {
				return err
			}
			for _, s := range standIns {
				if _, err := run(ctx, "cp", filepath.Join(debs, s.name+".deb"), work); err != nil {
					return err
				}
			}
			if err := writeFile(filepath.Join(work, "make.sh"), rpmStandIns, 0o755); err != nil {
				return err
			}
			if _, err := h.Shell(ctx, "cd /root/rpms && sh make.sh"); err != nil {
				return err
			}
			_, err := run(ctx, "cp", "-a", filepath.Join(work, "out")+"/.", dir)
			return err
		}
		return errors.Join(pack(), h.Close(ctx))
	})
}

// StartRPMRepository is StartDockerRepository for hosts with dnf. Base is the URL of the repository of the family's own packages.
func (l *Lab) StartRPMRepository(ctx context.Context) (docker *DockerRepository, base string, err error) {
	dir, err := rpmPackagesDir(ctx, l)
	if err != nil {
		return nil, "", err
	}
	var prints [2]string
	for n, name := range []string{"one.asc", "two.asc"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return nil, "", err
		}
		ring, err := openpgp.ReadArmoredKeyRing(f)
		if err := errors.Join(err, f.Close()); err != nil || len(ring) != 1 {
			return nil, "", fmt.Errorf("%s has %d keys: %w", name, len(ring), err)
		}
		prints[n] = hex.EncodeToString(ring[0].PrimaryKey.Fingerprint)
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", net.JoinHostPort(gateway, "0"))
	if err != nil {
		return nil, "", fmt.Errorf("serving packages: %w", err)
	}
	server := &http.Server{Handler: http.FileServer(http.Dir(dir)), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	url := "http://" + listener.Addr().String()
	return &DockerRepository{Key: prints[0], OtherKey: prints[1], url: url}, url + "/base", nil
}
