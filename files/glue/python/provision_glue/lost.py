"""Flow runs that Prefect believes to be running here, and that are not.

When a machine restarts, nobody tells the API what became of its runs: they would stay Running for ever. Prefect records with each run the host name
and process id of the agent that submitted it. Agents have fixed host names, "agent-X" beside "business-logic-X": so the executor on X knows which runs
are its own, and ends in the API those that it does not have. Runs of deployments that are not carried over the bridge are left alone.
"""

import asyncio
import os
import socket

from . import bridge_link as link
from .api import API, Refused, Unreachable
from .clock import age
from .generation import bridged

FINAL = {"RUNNING": ("CRASHED", "Crashed"), "PENDING": ("CRASHED", "Crashed"), "CANCELLING": ("CANCELLED", "Cancelled")}
EVERY = 300.0
# A Pending run's process may still be on its way here: it gives up after its own 60 seconds.
PENDING_SECONDS = 150.0


def agent_name():
    """The host name of the agent whose runs are executed here."""
    given = os.environ.get("BRIDGE_AGENT_HOSTNAME")
    own = socket.gethostname()
    prefix = "business-logic-"
    return given or ("agent-" + own[len(prefix):] if own.startswith(prefix) else "")


def sweep(api, agent, known):
    """Ends in the API the runs of ``agent`` that are not in ``known()``, with their subflows; gives their ids.

    ``known`` is asked after the listing: a run that this executor started since then is in it before it can be listed as Running."""
    listed = api.all("/flow_runs/filter", _in_states("RUNNING", "PENDING", "CANCELLING"))
    here = known()
    seen = {}
    ended = []
    for run in listed:
        if (run.get("infrastructure_pid") or "").rpartition(":")[0] != agent or run["id"] in here:
            continue
        if run["state_type"] == "PENDING" and (age(run["state"]["timestamp"], api.date) or 0) < PENDING_SECONDS:
            continue
        if not bridged(api, run, seen):
            continue
        if _end(api, run):
            ended.append(run["id"])
    return ended + _end_subflows(api, ended)


def _end_subflows(api, parents):
    """A subflow runs in its parent's process."""
    ended = []
    while parents:
        query = _in_states("RUNNING", "PENDING", "CANCELLING")
        query["flow_runs"]["parent_flow_run_id"] = {"any_": parents}
        # One that has a process of its own was started by a deployment, and is looked at by itself.
        parents = [run["id"] for run in api.all("/flow_runs/filter", query) if not run.get("deployment_id") and _end(api, run)]
        ended += parents
    return ended


def _end(api, run):
    kind, name = FINAL[run["state_type"]]
    message = "The process of this run is gone: its container was restarted."
    answer = api.post("/flow_runs/%s/set_state" % run["id"], {"state": {"type": kind, "name": name, "message": message}})
    return answer.get("status") == "ACCEPT"


def _in_states(*types):
    return {"sort": "ID_DESC", "flow_runs": {"state": {"type": {"any_": list(types)}}}}


async def sweep_forever(known):
    """At once when the API answers, then now and then."""
    agent = agent_name()
    if not agent or not os.environ.get("PREFECT_API_URL"):
        link.say("runs left from before are not looked for: no PREFECT_API_URL, or the host name is not business-logic-X")
        return
    pause, complained = 1.0, False
    while True:
        try:
            ended = await asyncio.get_event_loop().run_in_executor(None, _sweep_once, agent, known)
            for run in ended:
                link.say("run %s: is gone, marked in the API" % run)
            pause, complained = EVERY, False
        except (Unreachable, Refused, ValueError, KeyError) as error:
            if not complained:
                link.say("looking for runs left from before: %s" % error)
            pause, complained = min(2 * pause, 30.0), True
        await asyncio.sleep(pause)


def _sweep_once(agent, known):
    api = API.of_environment(timeout=15.0)
    try:
        return sweep(api, agent, known)
    finally:
        api.close()
