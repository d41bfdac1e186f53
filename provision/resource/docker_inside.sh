# absent, down, again: what docker says of a container that is not there, of one that does not run, and of one that restarts.
# inside CONTAINER COMMAND... runs a command in a container for the record at hand: x holds its output, rc its status, and the
# answer is given where the command could not run. A container that does not exist is a no; anything else that went wrong is
# unknown.
inside() {
	case $D in
	no) no; return 1 ;;
	unknown) unknown "$DV"; return 1 ;;
	esac
	x=$(timeout 20 docker exec "$@" 2>&1); rc=$?
	case "$rc $x" in
	1\ *"$absent"*) no; return 1 ;;
	1\ *"$down"*|1\ *"$again"*|12[4567]\ *) unknown "$x"; return 1 ;;
	esac
}
