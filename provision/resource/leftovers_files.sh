# root: the directory of all stacks, b: that of this one. The parameters are the files that are removed, and with them the
# directories that are then empty.
for p; do
	rm -f "$p"; p=${p%/*}
	while case $p in "$root"/*) ;; *) false ;; esac; do rmdir "$p" 2>/dev/null || true; p=${p%/*}; done
done
sync "${b%/*}"
