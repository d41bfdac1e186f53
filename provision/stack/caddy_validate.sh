# dir: the server's directory, image: Caddy's, uid: its user. This has the same image that will run it judge the new configuration,
# which comes through standard input, beside the files that it names. new and d are those of the change of a file.
docker run --rm -i --network none --user "$uid:$uid" --read-only --tmpfs /tmp --tmpfs "/data:uid=$uid,gid=$uid" --tmpfs "/config:uid=$uid,gid=$uid" --tmpfs "/run/caddy:uid=$uid,gid=$uid" --cap-drop ALL --ulimit core=0 --volume "$dir/caddy:/etc/caddy:ro" --volume "$dir/secrets/caddy:/run/secrets:ro" "$image" caddy validate --adapter caddyfile --config - <"$new" >"$d/.provision.out" 2>&1 || { tail -n 5 "$d/.provision.out" >&2; rm -f "$d/.provision.out"; die "Caddy refuses the new Caddyfile; the old one stays"; }
rm -f "$d/.provision.out"
