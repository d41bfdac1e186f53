# The parameters are packages; a line "installed NAME" is printed for each that is. dpkg-query ends with 1 where one of them is not, and
# with more where it cannot tell.
if command -v dpkg-query >/dev/null; then
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || [ $? -eq 1 ] || { echo "dpkg-query cannot read what is installed: run it there, as in dpkg-query -W" >&2; exit 1; }
fi
