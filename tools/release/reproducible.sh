#!/bin/sh
# Builds the commit at hand twice for each of the targets that are named, or for all, from two clones in different places and with two build caches, and compares to the byte.
# The second cache is kept beside the first, so that only what changed is compiled again.
set -eu
out=${1:?usage: reproducible.sh DIR [TARGET...], where the binaries are left}
shift
[ $# -gt 0 ] || set -- linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
mkdir -p "$out"
out=$(cd "$out" && pwd)
commit=$(git rev-parse HEAD)
[ -z "$(git status --porcelain)" ] || echo "what is not committed is left out of this"

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
mkdir -p "$work/in/another/place"
git clone -q . "$work/one"
git clone -q . "$work/in/another/place/two"

# build TARGET FILE GOCACHE: flags as in .goreleaser.yaml; those of the environment would be another build.
build() {
	GOFLAGS='' GOCACHE=$3 CGO_ENABLED=0 GOOS=${1%/*} GOARCH=${1#*/} go build -trimpath -buildvcs=true -ldflags='-s -w' -o "$2" ./cmd/provision
}
mine=$(go env GOCACHE)
other=${REPRODUCIBLE_CACHE:-$mine-reproducible}
for target; do
	name=provision-$(echo "$target" | tr / -)
	(cd "$work/one" && umask 022 && TZ=UTC build "$target" "$out/$name" "$mine")
	(cd "$work/in/another/place/two" && umask 077 && TZ=Asia/Tokyo LC_ALL=C build "$target" "$work/$name" "$other")
	cmp "$out/$name" "$work/$name"
	go version -m "$out/$name" | grep -q "vcs.revision=$commit"
	echo "the same twice: $target $(sha256sum <"$out/$name" | cut -c1-16)"
done
