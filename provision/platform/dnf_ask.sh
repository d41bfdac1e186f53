# S: the file of Docker's repository, K: that of its key, url and suite: where it is; the parameters are Docker's packages.
if [ "$(dnf -q repoquery --available --qf '%{name}\n' "$@" | sort -u | grep -c .)" -eq $# ]; then echo there; exit; fi
[ ! -e "$S" ] || die "$S is there already, but gives no docker-ce: repair or remove it"
[ ! -e "$K" ] || { printf 'host '; head -c 65536 "$K" | base64 -w 0; echo; }
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
for f in gpg "$suite/$(uname -m)/stable/repodata/repomd.xml"; do timeout 30 curl -fsSL --retry 1 --connect-timeout 10 -o "$d/${f##*/}" "$url/$f"; done
printf 'mirror '; head -c 65536 "$d/gpg" | base64 -w 0; echo
