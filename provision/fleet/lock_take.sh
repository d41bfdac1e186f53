# root: the directory of what provision keeps on a host, lock: the file in it, code: what is ended with when somebody else holds the lock.
# The shell that this becomes is the apply shell, and holds it.
umask 077
mkdir -p "$root" && chmod 0755 "$root" && exec flock -n -E "$code" "$lock" /bin/sh
