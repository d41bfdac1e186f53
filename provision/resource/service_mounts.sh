# mountsdigest SALT [DIR...] prints one digest, salted per host, of the names and contents of all files in the directories.
mountsdigest() { salt=$1; shift; { cat "$salt"; for d; do [ ! -d "$d" ] || find "$d" -type f ! -name '.provision.*'; done | sort | while IFS= read -r file; do printf '%s\n' "$file"; sha256sum <"$file"; done; } | sha256sum | cut -c1-64; }
