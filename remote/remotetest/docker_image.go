package remotetest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"provision/remote/remotetest/unix"
)

// SetRegistry says what becomes of image pulls in the whole fleet: err is the engine's own words
// (nil: every image is there, unless images are listed).
func (f *Fleet) SetRegistry(err error, images ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.registry, f.images = err, nil
	if len(images) > 0 {
		f.images = map[string]bool{}
		for _, i := range images {
			f.images[reference(i)] = true
		}
	}
}

func (f *Fleet) serves(ref string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.registry != nil:
		return f.registry
	case f.images != nil && !f.images[reference(ref)]:
		return fmt.Errorf("manifest for %s not found: manifest unknown: manifest unknown", ref)
	}
	return nil
}

// pulled makes the image that a registry would deliver.
func (d *docker) pulled(ref string) *image {
	full := reference(ref)
	// The same path gives the same image, whatever registry or mirror it comes from.
	name := path.Base(full)
	sum := sha256.Sum256([]byte("image " + name))
	id := "sha256:" + hex.EncodeToString(sum[:])
	i := d.images[id]
	if i == nil {
		i = &image{Image: Image{
			ID: id, RepoTags: []string{}, RepoDigests: []string{}, Created: d.h.stamp(), Architecture: d.h.debArch(), Os: "linux", Size: 100 << 20,
			Config: &ContainerConfig{Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, Labels: map[string]string{}, WorkingDir: "/"},
		}}
		switch {
		case strings.HasPrefix(name, "postgres:"):
			i.Config.Entrypoint, i.Config.Cmd, i.Config.StopSignal = []string{"docker-entrypoint.sh"}, []string{"postgres"}, "SIGINT"
			i.Config.ExposedPorts = map[string]struct{}{"5432/tcp": {}}
		case strings.HasPrefix(name, "python:"):
			i.Config.Cmd = []string{"python3"}
		case strings.HasPrefix(name, "caddy:"):
			i.Config.Cmd = []string{"caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"}
		}
		d.images[id] = i
	}
	d.tag(i, full)
	digest := full[:strings.LastIndexByte(full, ':')] + "@" + id
	if !slices.Contains(i.RepoDigests, digest) {
		i.RepoDigests = append(i.RepoDigests, digest)
	}
	return i
}

func (h *Host) debArch() string {
	switch h.options.Arch {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return h.options.Arch
}

func dockerPull(p *proc, o unix.Parsed) int {
	if len(o.Args) != 1 {
		p.Fatalf(1, "\"docker pull\" requires exactly 1 argument.")
	}
	ref := o.Args[0]
	if err := p.host.fleet.serves(ref); err != nil {
		p.Errorf("Error response from daemon: %v\n", err)
		return 1
	}
	p.Printf("%s: Pulling from %s\n", reference(ref)[strings.LastIndexByte(reference(ref), ':')+1:], path.Base(ref))
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(ref)))
	layers := []string{sum[:12], sum[12:24], sum[24:36], sum[36:48]}
	// Below a line for each layer the cursor goes up to the one that changes, and down again.
	state := func(n int, format string, args ...any) {
		line := layers[n] + ": " + fmt.Sprintf(format, args...)
		if up := len(layers) - n; p.Terminal {
			line = fmt.Sprintf("\x1b[%dA\x1b[2K\r%s\r\x1b[%dB", up, line, up)
		} else {
			line += "\n"
		}
		p.Printf("%s", line)
	}
	if p.Terminal {
		p.Printf("%s", strings.Repeat("\n", len(layers)))
	}
	for n := range layers {
		state(n, "Pulling fs layer")
	}
	for n := range layers {
		const parts = 4
		for part := 1; part <= parts; part++ {
			p.Sleep(time.Second / parts)
			if p.Terminal { // nothing else is told of sizes
				state(n, "Downloading  %dkB/%dkB", part*(n+1)*100, parts*(n+1)*100)
			}
		}
		state(n, "Download complete")
		state(n, "Pull complete")
	}
	d := p.host.docker
	d.mu.Lock()
	i := d.pulled(ref)
	d.mu.Unlock()
	p.Printf("Digest: %s\nStatus: Downloaded newer image for %s\n%s\n", i.ID, reference(ref), ref)
	return 0
}

// dockerLoad reads what `docker save` wrote.
func dockerLoad(p *proc, o unix.Parsed) int {
	b, err := p.ReadAll(o.Value["input"])
	if err != nil {
		p.Errorf("open %s: %s\n", o.Value["input"], unix.Strerror(err))
		return 1
	}
	entries, err := unix.ReadTar(b)
	if err != nil {
		p.Errorf("Error response from daemon: %v\n", err)
		return 1
	}
	d := p.host.docker
	for _, e := range entries {
		var manifest []struct{ RepoTags []string }
		if e.Name != "manifest.json" || json.Unmarshal(e.Data, &manifest) != nil {
			continue
		}
		for _, m := range manifest {
			for _, t := range m.RepoTags {
				d.mu.Lock()
				d.pulled(t)
				d.mu.Unlock()
				p.Printf("Loaded image: %s\n", t)
			}
		}
		return 0
	}
	p.Errorf("Error response from daemon: invalid archive: does not contain a manifest.json\n")
	return 1
}
