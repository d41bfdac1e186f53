# unit, service: the file of the service's unit and what it is to hold, timer, text: the same of the timer. The parameters are directories; the
# first count of them are root's alone, and the others belong to uid. repository: the one of them that may have been there before, and then
# has to be empty or a repository. start is a function of the init system.
if [ ! -f "$repository/config" ]; then
	for f in "$repository"/*; do
		[ ! -e "$f" ] || [ "${f##*/}" = lost+found ] || die "$repository is in use by something else: it is neither empty nor a repository"
	done
fi
n=0
for d; do
	n=$((n + 1)) owner=0
	[ "$n" -le "$count" ] || owner=$uid
	[ ! -L "$d" ] || die "$d is a symbolic link"
	(umask 022; mkdir -p "${d%/*}"); [ -d "$d" ] || mkdir "$d"
	chown "$owner:$owner" "$d"; chmod 0700 "$d"
done
t=$(mktemp /etc/systemd/system/.provision.XXXXXX); printf '%s' "$service" >"$t"; put "$t" "$unit" 0:0 0644
t=$(mktemp /etc/systemd/system/.provision.XXXXXX); printf '%s' "$text" >"$t"; put "$t" "$timer" 0:0 0644
start
