# b: the directory of the stack, id, salt: what is written there. born: yes where the stack is born on this host. place: new has an id
# that is there already stay.
(umask 022; mkdir -p "$b"); chmod 0755 "$b"
# The mark is made before the id: a host with an id and without it got its id from another server.
[ "$born" != yes ] || { : >"$b/born"; sync "$b"; }
t=$(mktemp "$b/.provision.XXXXXX"); chmod 0644 "$t"; printf '%s\n' "$id" >"$t"; sync "$t"
if [ "$place" = new ]; then ln "$t" "$b/id" 2>/dev/null || [ -f "$b/id" ]; rm -f "$t"
else put "$t" "$b/id" 0:0 0644; fi
if [ ! -s "$b/salt" ]; then t=$(mktemp "$b/.provision.XXXXXX"); printf '%s' "$salt" >"$t"; put "$t" "$b/salt" 0:0 0400; fi
rm -f "$b"/.provision.*; sync "$b"
