package resource

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"provision/remote"
)

// PulledImage is an image that the stack names and a registry serves. With a mirror it is pulled
// from there and tagged with the name that the stack uses, so a mirror changes no definition.
type PulledImage struct {
	Host, Ref string
	Mirror    string
}

var (
	_ Resource  = (*PulledImage)(nil)
	_ Uncertain = (*PulledImage)(nil)
)

// ImageID is the ID of an image on a host.
func ImageID(host, ref string) ID { return ID{host, "image", ref} }

func (i *PulledImage) ID() ID          { return ImageID(i.Host, i.Ref) }
func (i *PulledImage) Needs() []ID     { return []ID{EngineID(i.Host)} }
func (i *PulledImage) Probe(s *Script) { s.Image(i.Ref) }

func (i *PulledImage) Diff(w World) []Change { return imageDiff(w, i.ID(), "it is pulled") }

// WhyUnknown says that an image cannot be seen without its engine.
func (i *PulledImage) WhyUnknown(w World) string { return engineUnknown(w, i.Host) }

func imageDiff(w World, id ID, how string) []Change {
	d, know := docker(w, id.Host)
	if know == Unknown || d.Images[id.Name] != "" {
		return nil
	}
	return []Change{{ID: id, Act: Add, Why: "the image is not on the host; " + how}}
}

// MirrorRef is where a mirror serves an image: the path that the official registry would use,
// behind the mirror's prefix.
func MirrorRef(mirror, ref string) string {
	if mirror == "" {
		return ref
	}
	first, rest, slash := strings.Cut(ref, "/")
	switch {
	case !slash:
		ref = "library/" + ref
	case first == "docker.io" || first == "index.docker.io":
		ref = rest
		if !strings.Contains(rest, "/") {
			ref = "library/" + rest
		}
	case strings.ContainsAny(first, ".:") || first == "localhost":
		return ref // another registry, named on purpose
	}
	return strings.TrimSuffix(mirror, "/") + "/" + ref
}

func (i *PulledImage) Do(ctx context.Context, r *Run, _ Change) error {
	_, err := r.Sh(ctx, i.Host, scripts.With("image_pull", "ref", i.Ref, "from", MirrorRef(i.Mirror, i.Ref), "busy", foreign.Expression(registryBusy), "login", foreign.Expression(registryLogin)))
	return err
}

// BuiltImage is an image that is built on the host. Its tag is the hash of its build context, so
// whether it is there is the whole question.
type BuiltImage struct {
	Host, Stack, Ref string
	// Context returns the build context as an uncompressed tar.
	Context func() ([]byte, error)
	Args    map[string]string
	After   []ID // the images that it is built from
}

var (
	_ Resource  = (*BuiltImage)(nil)
	_ Uncertain = (*BuiltImage)(nil)
)

func (b *BuiltImage) ID() ID                { return ImageID(b.Host, b.Ref) }
func (b *BuiltImage) Needs() []ID           { return append([]ID{EngineID(b.Host)}, b.After...) }
func (b *BuiltImage) Probe(s *Script)       { s.Image(b.Ref) }
func (b *BuiltImage) Diff(w World) []Change { return imageDiff(w, b.ID(), "it is built") }

// WhyUnknown says that an image cannot be seen without its engine.
func (b *BuiltImage) WhyUnknown(w World) string { return engineUnknown(w, b.Host) }

func (b *BuiltImage) Do(ctx context.Context, r *Run, _ Change) error {
	tar, err := b.Context()
	if err != nil {
		return fmt.Errorf("make the build context: %w", err)
	}
	path, err := r.Stage(ctx, b.Host, "context.tar", tar)
	if err != nil {
		return err
	}
	var values []string
	for _, k := range sortedKeys(b.Args) {
		values = append(values, k, b.Args[k])
	}
	_, err = r.Sh(ctx, b.Host, remote.Args(sortedKeys(b.Args)...)+scripts.With("image_build", append(values,
		"ref", b.Ref, "label", LabelStack+"="+b.Stack, "uploaded", path, "wanted", digest(tar), "steps", strconv.Itoa(buildSteps(tar)))...))
	return err
}
