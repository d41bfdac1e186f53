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

func dockerPull(p *proc, o parsed) int {
	if len(o.args) != 1 {
		p.fatalf(1, "\"docker pull\" requires exactly 1 argument.")
	}
	ref := o.args[0]
	if err := p.host.fleet.serves(ref); err != nil {
		p.errorf("Error response from daemon: %v\n", err)
		return 1
	}
	p.printf("%s: Pulling from %s\n", reference(ref)[strings.LastIndexByte(reference(ref), ':')+1:], path.Base(ref))
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(ref)))
	layers := []string{sum[:12], sum[12:24], sum[24:36], sum[36:48]}
	// Below a line for each layer the cursor goes up to the one that changes, and down again.
	state := func(n int, format string, args ...any) {
		line := layers[n] + ": " + fmt.Sprintf(format, args...)
		if up := len(layers) - n; p.terminal {
			line = fmt.Sprintf("\x1b[%dA\x1b[2K\r%s\r\x1b[%dB", up, line, up)
		} else {
			line += "\n"
		}
		p.printf("%s", line)
	}
	if p.terminal {
		p.printf("%s", strings.Repeat("\n", len(layers)))
	}
	for n := range layers {
		state(n, "Pulling fs layer")
	}
	for n := range layers {
		const parts = 4
		for part := 1; part <= parts; part++ {
			p.sleep(time.Second / parts)
			if p.terminal { // nothing else is told of sizes
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
	p.printf("Digest: %s\nStatus: Downloaded newer image for %s\n%s\n", i.ID, reference(ref), ref)
	return 0
}

// dockerLoad reads what `docker save` wrote.
func dockerLoad(p *proc, o parsed) int {
	b, err := p.readAll(o.value["input"])
	if err != nil {
		p.errorf("open %s: %s\n", o.value["input"], strerror(err))
		return 1
	}
	entries, err := readTar(b)
	if err != nil {
		p.errorf("Error response from daemon: %v\n", err)
		return 1
	}
	d := p.host.docker
	for _, e := range entries {
		var manifest []struct{ RepoTags []string }
		if e.Name != "manifest.json" || json.Unmarshal(e.data, &manifest) != nil {
			continue
		}
		for _, m := range manifest {
			for _, t := range m.RepoTags {
				d.mu.Lock()
				d.pulled(t)
				d.mu.Unlock()
				p.printf("Loaded image: %s\n", t)
			}
		}
		return 0
	}
	p.errorf("Error response from daemon: invalid archive: does not contain a manifest.json\n")
	return 1
}
