"""What differs on Prefect 3, for the modules that both generations share.

There are no blocks here that say how a run is executed: every run of the pool goes over the bridge, and the worker hands on its id alone. So what
Prefect would have a worker do, job variables and pull steps, is kept empty, and is put right where somebody has filled it in.
"""

import json
import os

from . import zombies

# The variables allow none, so that the server refuses job variables in create_flow_run, PATCH flow_runs and new deployments; an empty schema would
# have it check nothing. The worker does not rely on it. What may not be left out: the server takes no pool without a job configuration.
POOL = {
    "type": "provision-bridge",
    "base_job_template": {
        "job_configuration": {"bridge": "provision"},
        "variables": {"type": "object", "properties": {}, "additionalProperties": False, "description": "none"},
    },
}
# The type of a pool cannot be changed. The worker polls a pool that agents had as it does its own; only the template has to be written.
FORMER = ("prefect-agent",)
AUTOMATIONS = (zombies.AUTOMATION,)


def prepare():
    """The fields of every deployment beside its own."""
    return {"job_variables": {}, "pull_steps": [], "storage_document_id": None}


def schema(flow):
    """The parameters of a flow, as data."""
    from prefect.utilities.callables import parameter_schema
    return json.loads(json.dumps(parameter_schema(flow).model_dump(mode="json")))


def bridged(api, run, cache):
    """Whether a run is carried over the bridge: all those of the pool are, and no others."""
    return run.get("work_pool_name") == os.environ.get("PROVISION_POOL", "provision")
