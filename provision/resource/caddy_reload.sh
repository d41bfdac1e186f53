# c: Caddy's container, admin: its address for that, want: what it has to answer, but for the digest of the files, which is made
# of salt and dir. ask: the program in Python that asks it.
docker exec "$c" caddy reload --force --config /etc/caddy/Caddyfile --adapter caddyfile --address "$admin"
want="$want$(caddydigest "$salt" "$dir")"
x=$(docker exec "$c" python3 -ISc "$ask")
[ "$x" = "$want" ] || die "Caddy answers with another configuration after its reload: $x"
