# refused: what the database says of a wrong password. This runs in the database's container. It ends with 0 if the login works, 3 if the password is refused, and otherwise if that could
# not be found out.
PGPASSWORD="$(cat /run/secrets/password)" PGCONNECT_TIMEOUT=5; export PGPASSWORD PGCONNECT_TIMEOUT
x=$(psql -h 127.0.0.1 -U prefect -d prefect -Atqc 'select 1' 2>&1) && exit 0
case $x in *"$refused"*) exit 3 ;; esac
printf '%s\n' "$x"; exit 4
