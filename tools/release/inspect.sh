#!/bin/sh
# Looks into what was packed into DIR: every package holds the binary that was built for its target, and the one for this machine runs.
set -eu
dir=${1:?usage: inspect.sh DIR}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$dir" && sha256sum --quiet -c checksums.txt)
if [ -n "${PROVISION_SIGNING_KEY:-}" ]; then
	{ printf 'release ' && ssh-keygen -y -f "$PROVISION_SIGNING_KEY"; } >"$work/signers"
	ssh-keygen -Y verify -f "$work/signers" -I release -n provision-release -s "$dir/checksums.txt.sig" <"$dir/checksums.txt"
else
	echo "not signed, PROVISION_SIGNING_KEY names no key: checksums.txt"
fi
seen=0
same() { # PACKAGE COMMAND...: what the command prints is the binary of the package's target
	package=$1
	shift
	target=$(basename "$package" | sed -E 's/.*_(linux|darwin)_(amd64|arm64)\..*/\1_\2/')
	"$@" >"$work/binary"
	cmp "$work/binary" "$dir"/provision_"$target"_*/provision
	seen=$((seen + 1))
}
for package in "$dir"/*.tar.gz; do same "$package" tar -xzOf "$package" provision; done
for package in "$dir"/*.apk; do same "$package" tar --warning=no-unknown-keyword -xzOf "$package" usr/bin/provision; done
if command -v dpkg-deb >/dev/null; then
	for package in "$dir"/*.deb; do same "$package" sh -c "dpkg-deb --fsys-tarfile '$package' | tar -xOf - ./usr/bin/provision"; done
else
	echo "not looked into, dpkg-deb is not here: the .deb packages"
fi
if command -v rpm2cpio >/dev/null && command -v cpio >/dev/null; then
	for package in "$dir"/*.rpm; do same "$package" sh -c "rpm2cpio '$package' | cpio -i --quiet --to-stdout '*usr/bin/provision'"; done
else
	echo "not looked into, rpm2cpio or cpio is not here: the .rpm packages"
fi
tar -xzOf "$dir"/*_"$(go env GOOS)_$(go env GOARCH)".tar.gz provision >"$work/binary"
chmod +x "$work/binary"
"$work/binary" version
echo "$seen packages hold the binaries of their targets"
