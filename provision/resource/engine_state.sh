# Prints missing where an engine is to be installed, theirs for one of others without Compose, else installed; then os-release.
# mark: the file that says that the engine is ours.
if ! command -v docker >/dev/null; then echo missing
elif [ -e "$mark" ] && ! { command -v dockerd && docker compose version && docker buildx version; } >/dev/null 2>&1; then echo missing
elif docker compose version >/dev/null 2>&1; then echo installed
elif [ ! -e "$mark" ] && command -v dockerd >/dev/null; then echo theirs
else echo missing; fi
head -c 8192 /etc/os-release
