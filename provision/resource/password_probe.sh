# hash, note: the file of the hash, and the note about it. pw, salt: the files with password and salt.
statsecret "$hash"
if [ -f "$note" ] && [ -f "$pw" ] && [ -f "$salt" ] && [ "$(cat "$note")" = "$(hashnote "$pw" "$salt")" ]; then v match yes; else v match no; fi
