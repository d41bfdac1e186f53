# c, try: as in database_probe.sh. password: the file with the password.
docker exec "$c" sh -c "$try" || [ $? -eq 3 ] || die "the database does not answer"
pw=$(cat "$password")
case $pw in ''|*[!A-Za-z0-9_-]*) die "the password file holds characters that a database url cannot" ;; esac
# The statement goes through standard input and is not logged: a password in it would stay in the server's log otherwise.
{ printf "set log_statement = 'none'; set log_min_error_statement = 'panic';\nalter role prefect password '%s';\n" "$pw"; } | docker exec -i "$c" psql -v ON_ERROR_STOP=1 -qU prefect -d prefect
docker exec "$c" sh -c "$try"
