# major DIR says by which PostgreSQL the data in a directory was written. The directory belongs to the database's uid, so a link in
# it is not followed.
major() { [ -L "$1/PG_VERSION" ] || [ ! -f "$1/PG_VERSION" ] || v major "$(head -c 20 "$1/PG_VERSION")"; }
