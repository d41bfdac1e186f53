# S: the file of Docker's repository, K: that of its key, url and suite: where it is; the parameters are Docker's packages.
if [ "$(apt-cache policy "$@" | grep -c '^  Candidate: [^(]')" -eq $# ]; then echo there; exit; fi
[ ! -e "$S" ] || die "$S is there already, but gives no docker-ce: repair or remove it"
[ ! -e "$K" ] || { printf 'host '; head -c 65536 "$K" | base64 -w 0; echo; }
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
for f in gpg "dists/$suite/Release"; do timeout 30 /usr/lib/apt/apt-helper -o Acquire::Retries=1 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10 download-file "$url/$f" "$d/${f##*/}" >&2; done
printf 'mirror '; head -c 65536 "$d/gpg" | base64 -w 0; echo
