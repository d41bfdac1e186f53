package resource

import (
	"context"
	"fmt"
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
	_ Resource = (*PulledImage)(nil)
	_ Doubter  = (*PulledImage)(nil)
)

// ImageID is the ID of an image on a host.
func ImageID(host, ref string) ID { return ID{host, "image", ref} }

func (i *PulledImage) ID() ID          { return ImageID(i.Host, i.Ref) }
func (i *PulledImage) Needs() []ID     { return []ID{EngineID(i.Host)} }
func (i *PulledImage) Probe(s *Script) { s.Image(i.Ref) }

func (i *PulledImage) Diff(w World) []Change { return imageDiff(w, i.ID(), "it is pulled") }

// Doubt says that an image cannot be seen without its engine.
func (i *PulledImage) Doubt(w World) string { return engineDoubt(w, i.Host) }

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
	// Limits of a registry and short outages are waited out; anything else fails at once.
	// How many bytes it has fetched the engine tells a terminal alone: script(1), which Debian and
	// Ubuntu always have, is one, unless there are none on the host. What is drawn on it is taken once in
	// a while, without the line that is not whole yet: all of a long pull would be too much to print. A
	// client that asks for a login reads an empty line, and so fails.
	_, err := r.Sh(ctx, i.Host, fmt.Sprintf(`ref=%s from=%s
private=$(mktemp -d); said=$private/said; : >"$said"; trap 'rm -rf "$private"' EXIT
drawn() {
	while part=$(dd bs=64k count=1 status=none | tail -c 2000; echo .); [ "$part" != . ]; do
		printf '%%s\n' "$part" | tr '\r' '\n' | sed -nE -e '$d' -e 's/.*([0-9a-f]{12}: [A-Z].*)/\1/p'
		sleep 0.5
	done
}
export from said SHELL=/bin/sh
command='exec docker pull "$from" 2>"$said" <<END

END
'
if script -qec : /dev/null </dev/null >/dev/null 2>&1; then
	fetch() { timeout 1500 script -qefc "$command" /dev/null; }
else
	fetch() { timeout 1500 sh -c "$command"; }
fi
pull() {
	{ fetch; echo "$?" >"$private/rc"; } | drawn
	[ "$(cat "$private/rc")" = 0 ]
}
n=1
until pull; do
	out=$(cat "$said")
	case $out in
	*toomanyrequests*|*'Too Many Requests'*|*'429'*|*'i/o timeout'*|*'TLS handshake timeout'*|*'connection reset'*|*'503 Service'*)
		[ $n -lt 4 ] || { printf '%%s\n' "$out" >&2; die "the registry kept refusing; wait, log in to it on the host (docker login), or set image_mirror in the inventory"; }
		echo "the registry asks to wait, next try in $((n * 15)) s"; sleep $((n * 15)); n=$((n + 1)) ;;
	*'denied'*|*'unauthorized'*|*'non TTY'*|*'sername'*) printf '%%s\n' "$out" >&2; die "the registry wants a login for $from, or has no such image: docker login on the host, or image_mirror in the inventory" ;;
	*) [ "$(cat "$private/rc")" != 124 ] || out="no end within 25 minutes"; printf '%%s\n' "$out" >&2; die "cannot pull $from" ;;
	esac
done
[ "$from" = "$ref" ] || docker tag "$from" "$ref"
`, remote.Quote(i.Ref), remote.Quote(MirrorRef(i.Mirror, i.Ref))))
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
	_ Resource = (*BuiltImage)(nil)
	_ Doubter  = (*BuiltImage)(nil)
)

func (b *BuiltImage) ID() ID                { return ImageID(b.Host, b.Ref) }
func (b *BuiltImage) Needs() []ID           { return append([]ID{EngineID(b.Host)}, b.After...) }
func (b *BuiltImage) Probe(s *Script)       { s.Image(b.Ref) }
func (b *BuiltImage) Diff(w World) []Change { return imageDiff(w, b.ID(), "it is built") }

// Doubt says that an image cannot be seen without its engine.
func (b *BuiltImage) Doubt(w World) string { return engineDoubt(w, b.Host) }

func (b *BuiltImage) Do(ctx context.Context, r *Run, _ Change) error {
	tar, err := b.Context()
	if err != nil {
		return fmt.Errorf("make the build context: %w", err)
	}
	path, err := r.Stage(ctx, b.Host, "context.tar", tar)
	if err != nil {
		return err
	}
	// Values may hold a login to a mirror or proxy: they enter by the environment, not by arguments.
	var args, values strings.Builder
	for _, k := range sortedKeys(b.Args) {
		fmt.Fprintf(&values, "export %s=%s\n", k, remote.Quote(b.Args[k]))
		fmt.Fprintf(&args, " --build-arg %s", k)
	}
	// What was uploaded belongs to the login user, who could change it between the check and the build.
	// A killed build leaves its copy where every run that takes the lock clears up.
	_, err = r.Sh(ctx, b.Host, fmt.Sprintf(`uploaded=%s
private=$(mktemp -d /var/tmp/.provision-XXXXXXXX); trap 'rm -rf "$private"' EXIT
t=$private/context.tar
cat "$uploaded" >"$t"; rm -f "$uploaded"
sum=$(sha256sum <"$t"); [ "${sum%%%% *}" = %s ] || die "the build context arrived damaged"
echo "building in %d steps" >&2 # beside the lines of the build, which come that way: else the order of the two is chance
%sDOCKER_BUILDKIT=1 BUILDKIT_PROGRESS=plain timeout 2400 docker build --pull=false --label %s --tag %s%s - <"$t"
`, remote.Quote(path), digest(tar), buildSteps(tar), values.String(), remote.Quote(LabelStack+"="+b.Stack), remote.Quote(b.Ref), args.String()))
	return err
}
