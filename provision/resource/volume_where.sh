# Comes after volume_probe.sh where the volume may lie on a disk of its own. at: the directory that it should have; empty for the
# engine's own place. The engine shows what is there at its mountpoint only while it is in use.
[ -z "$at" ] || major "$at"
[ "$D$V" != yesyes ] || { x=$(timeout 20 docker volume inspect --format '{{with .Options}}{{.device}}{{end}}' "$name" 2>/dev/null) && v device "$x"; }
