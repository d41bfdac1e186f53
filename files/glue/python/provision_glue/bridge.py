"""The bridge between an agent and the container that has the flows.

    provision-bridge serve [-- COMMAND...]   in the container with the flows; COMMAND defaults to `prefect flow-run execute`
    provision-bridge run -- COMMAND...       as the process that the agent starts for a flow run
    provision-bridge ping                    is the other end there, and does it know the token

``run`` sends the flow run's id and nothing else: what is executed, and in which environment, is decided where the flows are. The command after
``run --`` is text for Prefect, which leaves the cancelling of a run to it if it says `prefect flow-run execute`.

Environment: BRIDGE_TOKEN_FILE; serve: BRIDGE_LISTEN, BRIDGE_LIMIT, BRIDGE_DRAIN_SECONDS, BRIDGE_KILL_SECONDS; run and ping: BRIDGE_ADDRESS,
BRIDGE_CONNECT_SECONDS, BRIDGE_REATTACH_SECONDS.
"""

import asyncio
import json
import os
import sys

from . import bridge_link as link

USAGE = 64


def main(arguments):
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if rest[:1] == ["--"]:
        rest = rest[1:]
    if verb == "serve":
        from . import bridge_serve
        return asyncio.run(bridge_serve.serve(rest or ["prefect", "flow-run", "execute"]))
    if verb in ("run", "ping"):
        from . import bridge_run
        if verb == "run":
            return asyncio.run(bridge_run.run(os.environ.get("PREFECT__FLOW_RUN_ID", "")))
        answer = asyncio.run(bridge_run.ping(link.read_token(), link.address("BRIDGE_ADDRESS", "business-logic:8787")))
        if isinstance(answer, int):
            return answer
        print(json.dumps(answer, sort_keys=True))
        return 0
    return link.fail(USAGE, "usage: provision-bridge serve [-- COMMAND...] | run -- COMMAND... | ping")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
