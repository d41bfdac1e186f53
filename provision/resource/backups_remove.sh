# unit, timer: the files of both units, dir: of receipts and work. disable, which ends a backup that is being made, too, and reread are functions of
# the init system.
disable || true
rm -f "$unit" "$timer"
reread
# What is being worked with is not encrypted.
rm -rf "$dir/work"
