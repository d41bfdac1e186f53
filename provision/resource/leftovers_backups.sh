# Comes after leftovers_probe.sh. dir, repository: as in backups_made.sh.
if [ -e "$repository/config" ] || [ -n "$(ls "$dir/receipts" 2>/dev/null)" ]; then v backedup yes; fi
