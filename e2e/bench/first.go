//go:build linux

package main

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"provision/e2e/lab"
	"provision/provision"
	"provision/provision/resource"
	"provision/remote"
)

//go:embed first
var firstFiles embed.FS

// firstJob takes blank hosts to a running stack.
func (b *bench) firstJob() ([]*contest, error) {
	c := &contest{
		title: "First apply of the split stack on 2 blank hosts",
		text: "The shell scripts (e2e/bench/first) do the same work over `ssh`, both hosts at once: the same packages, images from the same build contexts, files, volumes and networks, the migration, the services " +
			"until they are healthy, the pool and the registration. They are given the secrets and certificates that provision makes, and check nothing. Packages and wheels come over the network, which is the larger part of the spread.",
		memory: 64 << 20,
	}
	return []*contest{c}, b.withSite("bench-first", 1, nil, func(s *site) error {
		if _, err := b.apply(s.inventory, "everything works"); err != nil {
			return err
		}
		script, err := b.scripted(s)
		if err != nil {
			return err
		}
		before := func() error { return b.blank(s) }
		c.contenders = []*contender{
			{name: "provision", turns: b.firstTurns, before: before, run: func() (usage, error) { return b.apply(s.inventory, "everything works") }},
			{name: "shell scripts over ssh", turns: b.firstTurns, before: before, goal: 1.05, run: script},
		}
		return c.hold(say)
	})
}

// scripted prepares the scripts from hosts on which the stack runs. What they are given is beside
// them in one archive a host: the build contexts, and all files that the stack has there.
func (b *bench) scripted(s *site) (func() (usage, error), error) {
	sys, err := provision.Load(b, s.inventory, "")
	if err != nil {
		return nil, err
	}
	settings := make([]string, len(s.hosts))
	archives := make([]string, len(s.hosts))
	for n, h := range s.hosts {
		tree := filepath.Join(b.dir, h.Name)
		if settings[n], err = b.settings(sys, h, filepath.Join(tree, contexts)); err != nil {
			return nil, err
		}
		text, err := h.Exec(b, "tar", "-C", "/", "--exclude=lock*", "-c", "etc/docker", "var/lib/provision")
		if err != nil {
			return nil, err
		}
		unpack := command(b, "tar", "-C", tree, "--numeric-owner", "-x")
		unpack.Stdin = strings.NewReader(text)
		if _, err := finish(unpack, ""); err != nil {
			return nil, err
		}
		archives[n] = tree + ".tar"
		if _, err := finish(command(b, "tar", "-C", tree, "--numeric-owner", "-cf", archives[n], "etc/docker", "var/lib/provision", contexts), ""); err != nil {
			return nil, err
		}
	}
	step := func(n int, name string) error {
		text, err := firstFiles.ReadFile("first/" + name)
		if err != nil {
			return err
		}
		return b.script(s, s.hosts[n], settings[n]+string(text))
	}
	return func() (usage, error) {
		err := together(len(s.hosts), func(n int) error {
			if err := b.unpack(s, s.hosts[n], archives[n]); err != nil {
				return err
			}
			if err := step(n, "engine.sh"); err != nil {
				return err
			}
			if n > 0 {
				return nil
			}
			return step(n, "server.sh")
		})
		if err != nil {
			return usage{}, err
		}
		return usage{}, errors.Join(step(1, "agent.sh"), b.healthy(s, 3, 2))
	}, nil
}

const contexts = "root/contexts"

// settings are the variables of a host's scripts. The build contexts that they name are written into
// a directory.
func (b *bench) settings(sys *provision.System, h *lab.Host, dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	var images, more strings.Builder
	for _, r := range sys.Resources {
		if r.ID().Host != h.Name {
			continue
		}
		switch r := r.(type) {
		case *resource.PulledImage:
			from := resource.MirrorRef(r.Mirror, r.Ref)
			fmt.Fprintf(&images, "docker pull -q %s\ndocker tag %s %s\n", from, from, r.Ref)
		case *resource.BuiltImage:
			content, err := r.Context()
			if err != nil {
				return "", err
			}
			name := strings.ReplaceAll(r.Ref, ":", "-") + ".tar"
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
				return "", err
			}
			fmt.Fprintf(&images, "docker build --pull=false --tag %s", r.Ref)
			for k, v := range r.Args {
				images.WriteString(" --build-arg " + remote.Quote(k+"="+v))
			}
			fmt.Fprintf(&images, " - </%s/%s\n", contexts, name)
		case *resource.Pool:
			var queues []string
			for _, q := range append(slices.Clone(r.Queues), r.Own...) {
				queues = append(queues, fmt.Sprintf(`{"name": %q}`, q))
			}
			fmt.Fprintf(&more, "POOL=%s\n", remote.Quote(fmt.Sprintf(`{"pool": %q, "own_prefix": %q, "queues": [%s]}`, r.Name, r.OwnPrefix, strings.Join(queues, ", "))))
		}
	}
	return fmt.Sprintf("set -eu\nPACKAGES=%s\nimages() {\n%s}\n%s", remote.Quote(strings.Join(packages, " ")), images.String(), more.String()), nil
}

// unpack sends a host its archive.
func (b *bench) unpack(s *site, h *lab.Host, archive string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	line := ssh(s.IdentityFile, s.KnownHostsFile, "root@"+h.Address+":22", "tar", "-C", "/", "-x")
	cmd := command(b, line[0], line[1:]...)
	cmd.Stdin = f
	_, err = finish(cmd, "")
	return err
}

// script pipes a script into a host's shell.
func (b *bench) script(s *site, h *lab.Host, text string) error {
	line := ssh(s.IdentityFile, s.KnownHostsFile, "root@"+h.Address+":22", "sh", "-s")
	cmd := command(b, line[0], line[1:]...)
	cmd.Stdin = strings.NewReader(text)
	if _, err := finish(cmd, ""); err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	return nil
}

// healthy wants so many healthy containers on each host, and no others.
func (b *bench) healthy(s *site, want ...int) error {
	for n, h := range s.hosts {
		out, err := h.Shell(b, "docker ps -a --format '{{.Status}}'")
		if err != nil {
			return err
		}
		if all, well := strings.Count(out, "\n"), strings.Count(out, "(healthy)"); all != want[n] || well != want[n] {
			return fmt.Errorf("%s has %d containers and %d healthy ones, want %d:\n%s", h.Name, all, well, want[n], out)
		}
	}
	return nil
}
