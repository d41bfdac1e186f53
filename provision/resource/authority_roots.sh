# roots DIR NEXT prints the root of the authority in DIR, and that of the one in NEXT where there is one.
roots() { cat "$1/root.crt"; [ ! -f "$2/root.crt" ] || cat "$2/root.crt"; }
