# dir, repository: as in backups_probe.sh. Where either says that there were backups, their password is not made anew.
if [ -e "$repository/config" ] || [ -n "$(ls "$dir/receipts" 2>/dev/null)" ]; then yes; else no; fi
