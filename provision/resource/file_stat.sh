# statfile FILE answers for one file: yes with "UID:GID MODE" and its digest, no, or unknown. A link is reported as such and never
# followed.
statfile() {
	if [ -L "$1" ]; then v link "$1"; yes
	elif [ -f "$1" ]; then
		if st=$(stat -c '%u:%g %a' "$1" 2>&1) && sum=$(sha256sum <"$1"); then v stat "$st"; v sum "${sum%% *}"; yes
		else unknown "$st"; fi
	elif [ -e "$1" ]; then unknown "$1 exists and is not a file"
	elif [ -d "${1%/*}" ] || [ ! -e "${1%/*}" ]; then no
	else unknown "${1%/*} is not a directory"; fi
}
# textfile FILE DIGEST sends the old content, too, for the plan's diff, but only where it differs.
textfile() {
	sum=; statfile "$1"
	[ "${sum%% *}" = "$2" ] || { [ -f "$1" ] && [ ! -L "$1" ] && { f content; head -c 262144 "$1"; }; }
}
