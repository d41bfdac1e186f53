# key: the armored key that signs the repository, url and suite: where it is; the parameters are Docker's packages.
(umask 022; mkdir -p "${K%/*}")
[ -e "$K" ] || { t=$(mktemp "${K%/*}/.provision.XXXXXX"); printf '%s' "$key" >"$t"; put "$t" "$K" 0:0 0644; }
t=$(mktemp -d /etc/apt/.provision.XXXXXX)
for f in "${S%/*}"/*; do [ ! -f "$f" ] || cp "$f" "$t"; done
printf '%s\nTypes: deb\nURIs: %s\nSuites: %s\nComponents: stable\nArchitectures: %s\nSigned-By: %s\n' "$H" "$url" "$suite" "$(dpkg --print-architecture)" "$K" >"$t/docker.sources"
try update -o Dir::Etc::sourceparts="$t" || { takeback; die "Docker's repository does not work beside the host's package sources: $cause"; }
put "$t/docker.sources" "$S" 0:0 0644; rm -rf "$t"
aptinstall "$@"
