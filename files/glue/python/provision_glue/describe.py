"""Says what the flows of a specification are: their names, descriptions and parameters, from the image that has them.

    python -m provision_glue.describe <JSON

Gives {"ENTRYPOINT": {"name": ..., "description": ..., "parameters": SCHEMA}} on standard output, for the specification that ``register`` reads. To say it,
flows are imported, and what stands in a module runs then: so this runs in a container that has no network and no secret, and whatever the modules print
goes to standard error. Everything that is wrong is said in a line each, exit code 65.
"""

import json
import os
import sys
import traceback

from .register import PROJECT, Bad, listed, wanted

MAX = 1 << 20
NOWHERE = "http://127.0.0.1:9/api"  # without any, Prefect would bring up an API of its own, which knows nothing


def describe(specification):
    """What is known of each flow, by its entrypoint."""
    flows, problems = {}, []
    for entry in listed(specification):
        if entry["flow"] in flows:
            continue
        try:
            flows[entry["flow"]] = _described(entry["flow"])
        except Bad as problem:
            problems += problem.args
            flows[entry["flow"]] = None
    known = {entrypoint: flow for entrypoint, flow in flows.items() if flow}
    try:
        wanted({**specification, "agents": [], "deployments": [e for e in listed(specification) if e["flow"] in known]}, known)
    except Bad as problem:
        problems += problem.args
    if problems:
        raise Bad(*problems)
    return known


def _described(entrypoint):
    flow = load(entrypoint)
    from .generation import schema as schema_of
    try:
        schema = json.loads(json.dumps(schema_of(flow)))
    except Exception as error:  # types and defaults of a flow are the user's own
        raise Bad("flow %s: its parameters cannot be described: %s" % (entrypoint, traceback.format_exception_only(type(error), error)[-1].strip())) from None
    return {"name": str(flow.name), "description": None if flow.description is None else str(flow.description), "parameters": schema}


def load(entrypoint):
    """The flow, or Bad with one line that says why there is none."""
    from prefect.exceptions import MissingFlowError, ScriptError
    from prefect.flows import load_flow_from_entrypoint
    file, colon, function = entrypoint.rpartition(":")
    path = os.path.join(PROJECT, file) if colon else entrypoint
    where = path if colon else entrypoint
    if colon and not os.path.isfile(path):
        raise Bad("flow %s: there is no file %s in the project" % (entrypoint, file))
    try:
        return load_flow_from_entrypoint("%s:%s" % (path, function) if colon else entrypoint, use_placeholder_flow=False)
    except MissingFlowError as error:
        raise Bad("flow %s: %s" % (entrypoint, " ".join(str(error).split()))) from None
    except ScriptError as error:
        raise Bad(_import_line(entrypoint, where, error.user_exc)) from None
    except (Exception, SystemExit) as error:  # a flow file may raise anything while it is imported
        raise Bad(_import_line(entrypoint, where, error)) from None


def _import_line(entrypoint, where, error):
    last = traceback.format_exception_only(type(error), error)[-1].strip()
    if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in ("httpx", "requests", "urllib3", "aiohttp"):
        last += " (modules are imported without a network and without secrets: what a module asks for when it is imported belongs into the flow)"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(PROJECT)]
    line = " line %d of %s" % (frames[-1].lineno, os.path.relpath(frames[-1].filename, PROJECT)) if frames else ""
    return "flow %s: cannot be imported from %s:%s %s" % (entrypoint, where, line + ":" if line else "", last)


def main():
    out = os.dup(1)
    os.dup2(2, 1)  # what modules print is none of the answer
    os.environ["PREFECT_API_URL"] = NOWHERE
    try:
        specification = json.load(sys.stdin)
        os.chdir(PROJECT)
        text = json.dumps(describe(specification)).encode()
        if len(text) > MAX:
            raise Bad("the names, descriptions and parameters of all flows are %d bytes of JSON, more than %d" % (len(text), MAX))
    except Bad as problem:
        for line in problem.args:
            print("register: %s" % line, file=sys.stderr)
        return 65
    except (OSError, ValueError, RecursionError) as error:
        print("register: %s" % error, file=sys.stderr)
        return 65
    with os.fdopen(out, "wb") as file:
        file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
