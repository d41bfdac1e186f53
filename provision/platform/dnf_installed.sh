# The parameters are packages; a line "installed NAME" is printed for each that is. rpm ends with the number of those that are not, and
# says in lines of their own what it cannot read.
if command -v rpm >/dev/null; then
	x=$(rpm -q --qf 'installed %{NAME}\n' "$@" 2>&1) || true
	case "
$x" in *"
error: "*) printf '%s\n' "$x" >&2; exit 1 ;; esac
	printf '%s\n' "$x"
fi
