//go:build linux

package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// imageConfig is the part of an OCI image configuration that our images set.
type imageConfig struct {
	Env          []string            `json:",omitempty"`
	Entrypoint   []string            `json:",omitempty"`
	Cmd          []string            `json:",omitempty"`
	WorkingDir   string              `json:",omitempty"`
	StopSignal   string              `json:",omitempty"`
	Volumes      map[string]struct{} `json:",omitempty"`
	ExposedPorts map[string]struct{} `json:",omitempty"`
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

const (
	indexType    = "application/vnd.oci.image.index.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	// Layers are not compressed: they only travel within this machine.
	layerType = "application/vnd.oci.image.layer.v1.tar"
	// epoch is the time of every file and image: equal trees are equal layers.
	// Some archive formats know no time before 1980.
	epoch   = 1577836800
	refName = "org.opencontainers.image.ref.name"
)

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

// archived is an entry of manifest.json, which `docker load` reads.
type archived struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// layout is an OCI image layout being written: a directory of blobs by digest
// and an index of the images in it.
type layout struct {
	dir     string
	index   index
	archive []archived
}

func newLayout(dir string) (*layout, error) {
	l := &layout{dir: dir, index: index{SchemaVersion: 2, MediaType: indexType}}
	return l, os.MkdirAll(filepath.Join(dir, "blobs/sha256"), 0o755)
}

// blob keeps what write produces under its digest.
func (l *layout) blob(mediaType string, write func(io.Writer) error) (descriptor, error) {
	f, err := os.CreateTemp(l.dir, "blob-*")
	if err != nil {
		return descriptor{}, err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	if err := write(io.MultiWriter(f, sum)); err != nil {
		return descriptor{}, err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return descriptor{}, err
	}
	name := hex.EncodeToString(sum.Sum(nil))
	if err := f.Chmod(0o644); err != nil {
		return descriptor{}, err
	}
	if err := os.Rename(f.Name(), filepath.Join(l.dir, "blobs/sha256", name)); err != nil {
		return descriptor{}, err
	}
	return descriptor{MediaType: mediaType, Digest: "sha256:" + name, Size: size}, f.Close()
}

func (l *layout) blobJSON(mediaType string, v any) (descriptor, error) {
	return l.blob(mediaType, func(w io.Writer) error { return json.NewEncoder(w).Encode(v) })
}

// layer keeps a directory as a layer: owners by number and file capabilities
// included, times not.
func (l *layout) layer(ctx context.Context, dir string) (descriptor, error) {
	return l.blob(layerType, func(w io.Writer) error {
		cmd := command(ctx, "tar", "--format=pax", "--pax-option=delete=atime,delete=ctime", "--xattrs", "--xattrs-include=security.capability",
			"--numeric-owner", "--sort=name", fmt.Sprintf("--mtime=@%d", epoch), "-C", dir, "-c", ".")
		cmd.Stdout = w
		stderr := new(tailBuffer)
		cmd.Stderr = stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("packing %s: %w: %s", dir, err, stderr)
		}
		return nil
	})
}

// add names an image made of layers, lowest first.
func (l *layout) add(name string, config imageConfig, layers ...descriptor) error {
	var diffs, paths []string
	for _, d := range layers {
		diffs = append(diffs, d.Digest)
		paths = append(paths, blobPath(d.Digest))
	}
	c, err := l.blobJSON(configType, map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "created": time.Unix(epoch, 0).UTC(), "config": config,
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
	})
	if err != nil {
		return err
	}
	m, err := l.blobJSON(manifestType, manifest{SchemaVersion: 2, MediaType: manifestType, Config: c, Layers: layers})
	if err != nil {
		return err
	}
	m.Annotations = map[string]string{refName: name}
	l.index.Manifests = append(l.index.Manifests, m)
	l.archive = append(l.archive, archived{Config: blobPath(c.Digest), RepoTags: []string{name}, Layers: paths})
	return nil
}

func blobPath(digest string) string { return "blobs/sha256/" + digest[len("sha256:"):] }

// finish writes the index: for registries and, beside it, for `docker load`.
func (l *layout) finish() error {
	for name, v := range map[string]any{
		"index.json": l.index, "manifest.json": l.archive, "oci-layout": map[string]string{"imageLayoutVersion": "1.0.0"},
	} {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(l.dir, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
