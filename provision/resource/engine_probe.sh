# mark: the file that says that the engine is ours, daemon: its settings. The parameters are those of listing; look and packages
# are functions of the package managers.
v versions "${DV:-}"
[ -e "$mark" ] && v ours yes
if [ -e "$daemon" ]; then f daemon; head -c 65536 "$daemon"; fi
case $D in
yes)
	v compose "$DC"; v settings "$DS"; v guard "$DG"
	[ -n "$DB" ] || v lacks buildx
	case ,$DB,$DC, in *,,*) v packages "$(packages)" ;; esac
	listing "$@"
	yes ;;
*)
	if [ -e /snap/bin/docker ]; then v others snap
	elif c=$(command -v docker) && head -c 4096 "$c" | grep -q podman; then v others podman
	else for s in /run/user/*/docker.sock; do [ -S "$s" ] && v others "$s"; done; fi
	if [ "$D" = no ]; then
		look
		no
	else
		command -v dockerd >/dev/null || v lacks engine
		command -v docker >/dev/null || v lacks client
		unknown "$DV"
	fi ;;
esac
