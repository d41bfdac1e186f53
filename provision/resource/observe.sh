# The head of the observing script: the few functions in which fragments answer. N is the nonce that frames records.
LC_ALL=C; export LC_ALL
# sudo, login shells and non-interactive sessions each bring another one.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
r() { printf '\n%s r %s\n' "$N" "$1"; }
yes() { printf '\n%s k yes\n' "$N"; }
no() { printf '\n%s k no\n' "$N"; }
unknown() { printf '\n%s k unknown\n%s' "$N" "$*"; }
f() { printf '\n%s f %s\n' "$N" "$1"; }
v() { printf '\n%s f %s\n%s' "$N" "$1" "$2"; }
# The commands of a pipeline run at the same time: each of those after the first keeps its answer until what comes before it
# has passed through.
beside() { o=$("$1" </dev/null); cat; printf '%s' "$o"; }
