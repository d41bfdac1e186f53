# mark: the file that says that the engine is ours.
# Reads the host's package sources, without what a killed run added. What older versions added stayed when it did not work, and
# breaks apt until it is taken away: it has no head, and is newer than the mark of our engine.
takeback
try update || { [ -f "$S" ] && [ "$S" -nt "$mark" ] && [ "$(sed 's/:.*//' "$S" | tr '\n' ' ')" = 'Types URIs Suites Components Architectures Signed-By ' ] &&
	rm -f "$S" "$K" && try update; } || die "apt-get update failed: $cause"
