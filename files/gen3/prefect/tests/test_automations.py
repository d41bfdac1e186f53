"""What is done about automations that differ, with an API that is a list of them. test_zombies.py does it with Prefect itself."""

import copy
import unittest

import fake
from provision_glue import automations, zombies


class Kept:
    """Automations as Prefect keeps them: with ids, with sets in an order of their own, and with numbers for durations."""

    def __init__(self, *rows):
        self.rows = [self.kept(row, "old-%d" % n) for n, row in enumerate(rows)]

    @staticmethod
    def kept(row, number):
        row = copy.deepcopy(row)
        row["trigger"] = dict(row["trigger"], id="t-" + number, after=row["trigger"]["after"][::-1], within=float(row["trigger"]["within"]))
        return dict(row, id=number, created="x")

    def __call__(self, method, path, body, _):
        number = path.rpartition("/")[2]
        if path == "/automations/filter":
            return 200, fake.page([row for row in self.rows[::-1] if row["name"] in body["automations"]["name"]["any_"]], body)
        if method == "POST":
            self.rows.append(self.kept(body, "new-%d" % len(self.rows)))
            return 201, self.rows[-1]
        self.rows = [self.kept(body, number) if method == "PUT" and row["id"] == number else row for row in self.rows if method != "DELETE" or row["id"] != number]
        return 204, b""


def changed(**fields):
    return dict(zombies.AUTOMATION, **fields)


THEIRS = changed(name="theirs", enabled=False)
TRIGGER = zombies.AUTOMATION["trigger"]
ACTION = zombies.AUTOMATION["actions"][0]


class Automations(unittest.TestCase):
    def test_what_differs_is_put_right_once(self):
        for rows, why, calls in (
            ([], "does not exist", ["POST"]),
            ([zombies.AUTOMATION], "", []),
            ([changed(enabled=False)], "is disabled", ["PUT"]),
            ([changed(description="mine now")], "was changed", ["PUT"]),
            ([changed(trigger=dict(TRIGGER, within=90))], "was changed", ["PUT"]),
            ([changed(trigger=dict(TRIGGER, after=["prefect.flow-run.heartbeat"]))], "was changed", ["PUT"]),
            ([changed(trigger=dict(TRIGGER, match_related={"prefect.resource.role": "flow"}))], "was changed", ["PUT"]),
            ([changed(trigger=dict(TRIGGER, match={"prefect.resource.id": ["prefect.flow-run.*"], "prefect.resource.name": ["x"]}))], "was changed", ["PUT"]),
            ([changed(actions=[dict(ACTION, force=True)])], "was changed", ["PUT"]),
            ([changed(actions=[ACTION, {"type": "do-nothing"}])], "was changed", ["PUT"]),
            ([changed(actions_on_trigger=[{"type": "do-nothing"}])], "was changed", ["PUT"]),
            ([zombies.AUTOMATION, zombies.AUTOMATION], "is there 2 times", ["PUT", "DELETE"]),
        ):
            kept = Kept(*rows, THEIRS)
            server = fake.Fake(self, kept)
            self.assertEqual({zombies.NAME: why} if why else {}, automations.differences(server.api()), rows)
            self.assertEqual(bool(why), bool(automations.setup(server.api())))
            self.assertEqual(calls, [method for method, _, _ in server.calls], why)
            self.assertEqual({}, automations.differences(server.api()), why)
            self.assertEqual([], automations.setup(server.api()))
            self.assertEqual([Kept.kept(THEIRS, row["id"]) for row in kept.rows if row["name"] == "theirs"], [row for row in kept.rows if row["name"] == "theirs"])
            self.assertEqual(2, len(kept.rows))

    def test_the_oldest_stays(self):
        kept = Kept(zombies.AUTOMATION, zombies.AUTOMATION)
        automations.setup(fake.Fake(self, kept).api())
        self.assertEqual(["old-0"], [row["id"] for row in kept.rows])


if __name__ == "__main__":
    unittest.main()
