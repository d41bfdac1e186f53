# caddydigest SALT DIR prints the digest of the files in DIR. The time of the last change counts too: a file that was changed and
# changed back around a restart may have been loaded in between.
caddydigest() { { cat "$1"; find "$2" -maxdepth 1 -type f ! -name '.provision.*' | sort | while IFS= read -r file; do stat -c '%n %Z' "$file"; sha256sum <"$file"; done; } | sha256sum | cut -c1-64; }
