# note: the file that says who works here, mark: its line that names this run's shell. What follows is done only if the note is still
# that of this run: a controller that comes back after a long time may find that another has taken the lock since.
[ "$(sed -n 3p "$note" 2>/dev/null)" = "$mark" ] || exit 1
