# Asks once for all volumes, a line each: name, owner, directory. V is yes if VS holds them. label: the one that names the owner.
V=no VS=''
if [ "$D" = yes ]; then if VS=$(timeout 20 docker volume ls --format "{{.Name}}|{{.Label \"$label\"}}|{{.Mountpoint}}" 2>&1); then V=yes; fi; fi
