# mark: as in elsewhere_probe.sh. place: what it is to say.
t=$(mktemp "${mark%/*}/.provision.XXXXXX"); printf '%s\n' "$place" >"$t"; put "$t" "$mark" 0:0 0644
