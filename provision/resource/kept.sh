# b: where the files are in use, d: where they are kept, beside the data.
# gone FILE says that it is kept and not in use, or without its content.
gone() { { [ -e "$d/$1" ] && [ ! -e "$b/$1" ]; } || { [ -s "$d/$1" ] && [ ! -s "$b/$1" ]; }; }
# copykept FROM TO copies a file with owner and mode, whole or not at all.
copykept() { [ ! -e "$1" ] || { (umask 022; mkdir -p "${2%/*}"); t=$(mktemp "${2%/*}/.provision.XXXXXX"); cp -p "$1" "$t"; sync "$t"; mv -f "$t" "$2"; sync "${2%/*}"; }; }
