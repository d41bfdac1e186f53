# key: the armored key that signs the repository, id: the name that rpm's database has for it, url and suite: where the repository is; the
# parameters are Docker's packages. The file says whether rpm's database gets the key by this: then takeback removes it from there, too.
(umask 022; mkdir -p "${K%/*}")
[ -e "$K" ] || { t=$(mktemp "${K%/*}/.provision.XXXXXX"); printf '%s' "$key" >"$t"; put "$t" "$K" 0:0 0644; }
t=$(mktemp -d "${S%/*}/.provision.XXXXXX")
printf '%s\n' "$H" >"$t/docker-ce.repo"
rpm -q "$id" >/dev/null 2>&1 || printf '# %s\n' "$id" >>"$t/docker-ce.repo"
printf '[docker-ce-stable]\nname=Docker CE Stable\nbaseurl=%s/%s/$basearch/stable\nenabled=1\ngpgcheck=1\ngpgkey=file://%s\n' "$url" "$suite" "$K" >>"$t/docker-ce.repo"
try makecache --refresh --setopt=reposdir="$t" --repo=docker-ce-stable || { takeback; die "Docker's repository does not work: $cause"; }
put "$t/docker-ce.repo" "$S" 0:0 0644; rm -rf "$t"
dnfinstall "$@"
