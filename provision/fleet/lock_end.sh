# p, s: a process, and when it began. The recorded shell is ended if that process is still the same one. What it started continues and
# keeps the lock until it is done.
[ "$(cut -d' ' -f22 "/proc/$p/stat" 2>/dev/null)" = "$s" ] && kill -KILL "$p" || true
