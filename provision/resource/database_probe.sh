# c: the database's container, try: database_try.sh.
if inside "$c" sh -c "$try"; then case $rc in 0) yes ;; 3) no; v refused yes ;; *) unknown "$x" ;; esac; fi
