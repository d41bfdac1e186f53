# c: the server's container. The parameters are the command that asks there.
if inside "$c" "$@"; then if [ "$rc" -eq 0 ]; then v json "$x"; yes; else unknown "$x"; fi; fi
