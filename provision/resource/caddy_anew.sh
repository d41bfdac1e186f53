# c: Caddy's container, d: the directory of the stack's authority, whose certificates it forgets; empty where there is none.
[ -z "$d" ] || docker exec "$c" rm -rf "/data/caddy/certificates/$(authorityname "$d")"
docker restart -t 40 "$c" >/dev/null
