"""The automation that ends runs whose host never comes back. Where the host is there, ``lost`` does it, at once.

A run sends a heartbeat every three minutes (PREFECT_FLOWS_HEARTBEAT_FREQUENCY of business-logic). One of which nothing is heard for nine is taken to be
gone. ``silence`` has Prefect look once more before it acts.
"""

NAME = "provision-zombies"
WITHIN = 540

AUTOMATION = {
    "name": NAME,
    "description": "Made by provision: ends runs of which nothing is heard any more.",
    "enabled": True,
    "trigger": {
        "type": "event",
        "match": {"prefect.resource.id": ["prefect.flow-run.*"]},
        "match_related": {},
        # A host may be gone before the first heartbeat, so the states in which a run is somebody's count as well.
        "after": ["prefect.flow-run.heartbeat", "prefect.flow-run.Pending", "prefect.flow-run.Submitting", "prefect.flow-run.Running", "prefect.flow-run.Retrying"],
        "expect": ["prefect.flow-run.*"],
        "for_each": ["prefect.resource.id"],
        "posture": "Proactive",
        "threshold": 1,
        "within": WITHIN,
    },
    # Never by force: Prefect refuses to crash a run that has ended.
    "actions": [{
        "type": "change-flow-run-state", "state": "CRASHED", "name": "Crashed", "force": False,
        "message": "Nothing was heard of this run for %d minutes: its host is gone." % (WITHIN // 60),
    }],
    "actions_on_trigger": [],
    "actions_on_resolve": [],
}
