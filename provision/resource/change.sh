# The head of every script that changes something.
set -eu
umask 077
LC_ALL=C; export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
die() { printf '%s\n' "$*" >&2; exit 1; }
# secretdir DIR GID MODE makes a directory that root alone can change and the group can read: if a container's uid owned it, an
# account of the host with that uid could swap a file for a link while root works in it.
secretdir() { [ ! -L "$1" ] || die "$1 is a symbolic link"; (umask 022; mkdir -p "${1%/*}"); [ -d "$1" ] || mkdir "$1"; chown "0:$2" "$1"; chmod "$3" "$1"; rm -f "$1"/.provision.*; }
# put FROM TO OWNER MODE moves a finished file to its place: owner and mode are set and the bytes are on disk before the name
# appears, so a reader sees the old file or the new one, and a power cut leaves one of the two.
put() { chown "$3" "$1"; chmod "$4" "$1"; sync "$1"; mv -f "$1" "$2"; sync "${2%/*}"; }
