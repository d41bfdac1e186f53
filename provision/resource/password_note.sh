# hashnote PASSWORD SALT prints what the note has to hold for the files with password and salt.
hashnote() { { cat "$2"; cat "$1"; } | sha256sum | cut -c1-64; }
