# mountsdigest SALT [FILE...] prints one digest, salted per host, of the names and contents of the files that are there.
mountsdigest() { salt=$1; shift; { cat "$salt"; for f; do [ ! -f "$f" ] || printf '%s\n' "$f"; done | sort | while IFS= read -r file; do printf '%s\n' "$file"; sha256sum <"$file"; done; } | sha256sum | cut -c1-64; }
