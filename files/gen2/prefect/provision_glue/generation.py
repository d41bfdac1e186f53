"""What is particular to Prefect 2: agents, and blocks that say how a run is started."""

import warnings

# The pool of agents has no template.
POOL = {"type": "prefect-agent"}
# Types of pools that former generations made and that do here.
FORMER = ()
# They need events, which came later.
AUTOMATIONS = ()

BLOCK = "provision-bridge"
COMMAND = ["provision-bridge", "run", "--", "prefect", "flow-run", "execute"]
RESULTS = "/tmp/prefect/storage"


def prepare():
    """Saves the block that has the agent carry a run over the bridge; gives the fields of each deployment that name it. Saving it again keeps the id.

    Beside it the storage for results that flows keep: without a named one each run would have to write an anonymous block, which it may not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from prefect.filesystems import LocalFileSystem
        from prefect.infrastructure import Process
        LocalFileSystem(basepath=RESULTS).save("provision-results", overwrite=True)
        return {"infrastructure_document_id": str(Process(command=COMMAND, stream_output=True).save(BLOCK, overwrite=True))}


def schema(flow):
    """The description of a flow's parameters, as the API takes it."""
    from prefect.utilities.callables import parameter_schema
    return parameter_schema(flow).dict()


def bridged(api, run, seen):
    """Whether a flow run, as a filter gives it, is carried over the bridge; ``seen`` keeps what was asked for."""
    deployment = run.get("deployment_id")
    if not deployment:
        return False
    if deployment not in seen:
        block = (api.find("/deployments/" + deployment) or {}).get("infrastructure_document_id")
        seen[deployment] = bool(block) and (api.find("/block_documents/" + block) or {}).get("name") == BLOCK
    return seen[deployment]
