# The parameters are the command that asks Caddy, for inside of docker_inside.sh. On the second line comes the certificate.
if inside "$@"; then if [ "$rc" -eq 0 ]; then
	l=${x#*"
"}; [ "$l" = "$x" ] || v leaf "$l"
	v answer "${x%%"
"*}"; yes
else unknown "$x"; fi; fi
