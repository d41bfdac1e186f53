# ref, label: the image's name and its label, uploaded: its context, wanted: the digest of that, steps: how many there are.
# The parameters are the names of variables that are arguments of the build.
# What was uploaded belongs to the login user, who could change it between the check and the build. A killed build leaves its
# copy where every run that takes the lock clears up.
private=$(mktemp -d /var/tmp/.provision-XXXXXXXX); trap 'rm -rf "$private"' EXIT
t=$private/context.tar
cat "$uploaded" >"$t"; rm -f "$uploaded"
sum=$(sha256sum <"$t"); [ "${sum%% *}" = "$wanted" ] || die "the build context arrived damaged"
# It stands beside the lines of the build, which come that way: else the order of the two is chance.
echo "building in $steps steps" >&2
# Values may hold a login to a mirror or proxy: they enter by the environment, not by arguments.
for name; do export "${name?}"; shift; set -- "$@" --build-arg "$name"; done
DOCKER_BUILDKIT=1 BUILDKIT_PROGRESS=plain timeout 2400 docker build --pull=false --label "$label" --tag "$ref" "$@" - <"$t"
