# t: the uploaded description of the deployments, c: the server's container. The parameters are the command that registers them.
timeout 600 docker exec -i "$c" "$@" <"$t"
rm -f "$t"
