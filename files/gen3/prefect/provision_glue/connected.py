"""Is something in this container connected to these ports of its neighbours? Exit code 0 and silence, or 1 and one line.

    python -m provision_glue.connected PORT...

For programs that answer nobody: whether they reach what they work with shows in the kernel's table.
"""

import sys

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
ESTABLISHED = "01"


def connected(tables=TABLES):
    """The remote ports of all established connections."""
    ports = set()
    for table in tables:
        try:
            with open(table) as file:
                rows = file.read().splitlines()[1:]
        except FileNotFoundError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == ESTABLISHED:
                ports.add(int(fields[2].rpartition(":")[2], 16))
    return ports


def main(arguments):
    if not arguments:
        print("usage: python -m provision_glue.connected PORT...", file=sys.stderr)
        return 64
    there = connected()
    missing = [port for port in arguments if int(port) not in there]
    if missing:
        print("no connection to port %s" % " and ".join(missing))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
