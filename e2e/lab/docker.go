//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// dockerPackages are the engine, Compose and buildx of Debian itself.
var dockerPackages = []string{"docker.io", "docker-cli", "docker-compose", "docker-buildx"}

// dockerLayer is the disk's layer that a host gets by installing Docker, and
// with it the directories the engine made for itself.
func dockerLayer(ctx context.Context, l *Lab, suite, root string) (string, error) {
	if suite != "trixie" {
		return "", fmt.Errorf("%s has no Compose v2 of its own", suite)
	}
	return packageLayer(ctx, l, "docker", suite, root, dockerPackages)
}

// packageLayer is the disk's layer that a host gets by installing packages.
func packageLayer(ctx context.Context, l *Lab, kind, suite, root string, packages []string) (string, error) {
	return cached(ctx, l.log, kind+"-"+suite, digest(append([]string{filepath.Base(root)}, packages...)...), func(ctx context.Context, dir string) error {
		name := "maker-of-" + kind
		h, err := l.Host(ctx, HostOptions{Name: name, Suite: suite, Packages: packages})
		if err != nil {
			return errors.Join(err, l.discard(ctx, name))
		}
		if err := h.PowerOff(ctx); err != nil {
			return errors.Join(err, h.Close(ctx))
		}
		// What is of this one host stays out of the layer.
		for _, own := range []string{"etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/machine-id", "etc/ssh", "etc/systemd/network", "etc/docker/certs.d", "root", "var/log", "var/lib/cloud", "var/lib/systemd", "var/lib/apt/lists", "var/cache/apt", "var/tmp", "tmp"} {
			if err := os.RemoveAll(h.path("upper", own)); err != nil {
				return errors.Join(err, h.Close(ctx))
			}
		}
		// cp, not rename: the state may be on another file system.
		_, err = run(ctx, "cp", "-a", h.path("upper")+"/.", dir)
		return errors.Join(err, h.Close(ctx))
	})
}

// dockerData is /var/lib/docker of an engine that has loaded the images of the
// sets.
func dockerData(ctx context.Context, l *Lab, suite string, sets []string) (string, error) {
	layouts, err := imageLayouts(ctx, l.log, l.machine, sets)
	if err != nil {
		return "", err
	}
	root, err := base(ctx, l.log, l.machine, suite)
	if err != nil {
		return "", err
	}
	docker, err := dockerLayer(ctx, l, suite, root)
	if err != nil {
		return "", err
	}
	var reads []string
	for _, layout := range layouts {
		reads = append(reads, filepath.Base(layout))
	}
	// Each choice of sets is a kind of its own: of one kind the cache keeps one.
	kind := "data"
	if !slices.Equal(sets, defaultImageSets) {
		kind += "." + strings.Join(sets, ".")
	}
	return cached(ctx, l.log, kind+"-"+suite, digest(append(reads, filepath.Base(docker))...), func(ctx context.Context, dir string) error {
		const name = "maker-of-data"
		h, err := l.Host(ctx, HostOptions{Name: name, Suite: suite, Docker: true})
		if err != nil {
			return errors.Join(err, l.discard(ctx, name))
		}
		fill := func() error {
			if err := h.loadImages(ctx, layouts); err != nil {
				return err
			}
			if err := h.PowerOff(ctx); err != nil {
				return err
			}
			// Two engines are not to be one.
			if err := os.RemoveAll(h.path("docker", "engine-id")); err != nil {
				return err
			}
			_, err = run(ctx, "cp", "-a", h.path("docker")+"/.", dir)
			return err
		}
		return errors.Join(fill(), h.Close(ctx))
	})
}

// discard removes a host that may have come to be in part.
func (l *Lab) discard(ctx context.Context, name string) error {
	for _, h := range l.Hosts() {
		if h.Name == name {
			return h.Close(ctx)
		}
	}
	return nil
}

// loadImages loads images into the host's engine under their plain names,
// without a registry.
func (h *Host) loadImages(ctx context.Context, layouts []string) error {
	for _, layout := range layouts {
		if err := h.loadLayout(ctx, layout); err != nil {
			return fmt.Errorf("loading images into %s: %w", h.Name, err)
		}
	}
	return nil
}

func (h *Host) loadLayout(ctx context.Context, layout string) error {
	pack := command(ctx, "tar", "-C", layout, "-c", ".")
	pipe, err := pack.StdoutPipe()
	if err != nil {
		return err
	}
	load, err := h.command(ctx, "docker", "load", "--quiet")
	if err != nil {
		return err
	}
	load.Stdin = pipe
	if err := pack.Start(); err != nil {
		return err
	}
	_, err = runCmd(load)
	return errors.Join(err, pack.Wait())
}

// giveImages fills /var/lib/docker of a host that has not booted yet.
func (h *Host) giveImages(ctx context.Context) error {
	if !h.Options.Docker {
		return errors.New("images without Docker: a blank host pulls them from the mirror")
	}
	data, err := dockerData(ctx, h.lab, h.Options.Suite, h.lab.ImageSets)
	if err != nil {
		return err
	}
	_, err = run(ctx, "cp", "-a", "--reflink=auto", data+"/.", h.path("docker"))
	return err
}

// MakeImages makes the lab's images if the cache lacks them.
func (l *Lab) MakeImages(ctx context.Context) error {
	_, err := imageLayouts(ctx, l.log, l.machine, l.ImageSets)
	return err
}

// Warm fills the cache with all that labs take from it.
func Warm(ctx context.Context, log Log) (err error) {
	l, err := New(ctx, Options{Name: "warm-" + strconv.Itoa(os.Getpid()), ImageSets: ImageSets(), Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close(context.WithoutCancel(ctx))) }()
	if err := l.MakeImages(ctx); err != nil {
		return err
	}
	for _, set := range ImageSets() {
		if _, err := dockerData(ctx, l, "trixie", []string{set}); err != nil {
			return err
		}
	}
	if _, err := dockerPackagesDir(ctx, l); err != nil {
		return err
	}
	return l.MakeCloudImage(ctx)
}
