"""Automations of ours, found by their names: somebody else's are never touched. A generation whose Prefect has none names none."""

from .generation import AUTOMATIONS


def differences(api):
    """What is not as it should be: name -> why. Nothing is asked where there are none."""
    return {name: why for name, why, _ in _differences(api)}


def setup(api):
    """Gives the lines of what was changed; none if all was right."""
    done = []
    for name, why, rows in _differences(api):
        wanted = _wanted(name)
        if rows:
            api.call("PUT", "/automations/" + rows[0]["id"], wanted)
        else:
            api.post("/automations/", wanted)
        for row in rows[1:]:
            api.call("DELETE", "/automations/" + row["id"])
        done.append("automation %s: %s" % (name, "put right: it %s" % why if rows else "created"))
    return done


def _wanted(name):
    return next(automation for automation in AUTOMATIONS if automation["name"] == name)


def _differences(api):
    """(name, why, the rows of this name with the oldest first) of each that differs."""
    if not AUTOMATIONS:
        return []
    names = [automation["name"] for automation in AUTOMATIONS]
    found = api.all("/automations/filter", {"sort": "CREATED_DESC", "automations": {"name": {"any_": names}}})[::-1]
    out = []
    for wanted in AUTOMATIONS:
        rows = [row for row in found if row["name"] == wanted["name"]]
        why = _why(wanted, rows)
        if why:
            out.append((wanted["name"], why, rows))
    return out


def _why(wanted, rows):
    if not rows:
        return "does not exist"
    if len(rows) > 1:
        return "is there %d times" % len(rows)
    if not rows[0].get("enabled"):
        return "is disabled"
    return "" if _same(wanted, rows[0]) else "was changed"


def _same(wanted, there, whole=False):
    """Compares what is wanted alone, because Prefect adds ids and times; but what is matched is compared as a ``whole``. Prefect keeps sets in an order
    of its own, and may keep one value for a list of one."""
    if isinstance(wanted, dict):
        if not isinstance(there, dict) or whole and set(wanted) != set(there):
            return False
        return all(_same(value, there.get(key), key in ("match", "match_related")) for key, value in wanted.items())
    if isinstance(wanted, list):
        there = there if isinstance(there, list) else [there]
        if any(isinstance(value, dict) for value in wanted):
            return len(wanted) == len(there) and all(map(_same, wanted, there))
        return all(isinstance(value, str) for value in there) and sorted(wanted) == sorted(there)
    return wanted == there
