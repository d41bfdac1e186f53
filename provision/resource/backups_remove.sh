# unit, timer: the files of both units. disable and reread are functions of the init system.
disable || true
rm -f "$unit" "$timer"
reread
