"""Compares a table of operations with the Prefect that is installed, so that the next version's new ones are decided on before they are let through.

    python -m provision_glue.operations operations.txt      exit code 0 if both are the same, else 1 and a line for each difference

The head of operations.txt says what a line is. The build of the server's image runs this.
"""

import re
import sys

WHO = ("all", "poll", "run", "-")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "WEBSOCKET")
KINDS = ("", "uuid", "pool")
PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")
POOL = "/work_pools/{"


class Bad(Exception):
    """The table cannot be read; the argument is a line."""


def read(text):
    """The table: (method, path) -> who, a tuple."""
    table = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        who = tuple(words[2].split(",")) if len(words) == 3 else ()
        if not who or words[0] not in METHODS or not words[1].startswith("/") or not set(who) <= set(WHO) or len(who) > 1 and set(who) & {"all", "-"}:
            raise Bad("line %d is not METHOD /path WHO: %s" % (number, line))
        if not {kind or "" for _, kind in PARAMETER.findall(words[1])} <= set(KINDS):
            raise Bad("line %d has a parameter of an unknown kind: %s" % (number, line))
        if words[1].startswith(POOL) and who != ("-",) and PARAMETER.findall(words[1])[0][1] != "pool":
            raise Bad("line %d lets a host at every pool, not at the stack's own: %s" % (number, line))
        if words[1].count(":pool}") > words[1].startswith(POOL):
            raise Bad("line %d has a pool where none is: %s" % (number, line))
        key = (words[0], words[1])
        if key in table:
            raise Bad("line %d is there twice: %s" % (number, line))
        table[key] = who
    return table


def installed():
    """The operations of the Prefect that is installed, and their parameters' kinds, as in the table but for the pool."""
    from prefect.server.api.server import API_ROUTERS, create_api_app
    found = set()
    for path, methods in create_api_app().openapi()["paths"].items():
        for method, operation in methods.items():
            schemas = {p["name"]: p.get("schema") or {} for p in operation.get("parameters") or [] if p["in"] == "path"}
            found.add((method.upper(), PARAMETER.sub(lambda match: _named(match.group(1), schemas), path)))
    # OpenAPI has no word for websockets.
    for router in API_ROUTERS:
        for route in router.routes:
            if "WebSocket" in type(route).__name__:
                path = PARAMETER.sub(lambda match: match.group(0) if match.group(2) == "uuid" else "{%s}" % match.group(1), route.path)
                found.add(("WEBSOCKET", path))
    return found


def _named(name, schemas):
    return "{%s:uuid}" % name if schemas.get(name, {}).get("format") == "uuid" else "{%s}" % name


def differences(table, operations):
    """A line each."""
    plain = {(method, path.replace(":pool}", "}")) for method, path in table}
    return (
        ["%s %s is in this Prefect, not in the table" % key for key in sorted(operations - plain, key=lambda key: key[::-1])]
        + ["%s %s is in the table, not in this Prefect" % key for key in sorted(plain - operations, key=lambda key: key[::-1])]
    )


def main(arguments):
    if len(arguments) != 1:
        print("usage: python -m provision_glue.operations FILE", file=sys.stderr)
        return 64
    try:
        with open(arguments[0], encoding="utf-8") as file:
            lines = differences(read(file.read()), installed())
    except (OSError, Bad) as error:
        lines = [str(error)]
    for line in lines:
        print("operations: %s" % line, file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
