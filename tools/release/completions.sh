#!/bin/sh
# Writes what shells complete provision's command line with into the directory DIR.
set -eu
dir=$1
mkdir -p "$dir"
CGO_ENABLED=0 go build -trimpath -o "$dir/../provision" ./cmd/provision
"$dir/../provision" completion bash >"$dir/provision.bash"
"$dir/../provision" completion zsh >"$dir/_provision"
"$dir/../provision" completion fish >"$dir/provision.fish"
