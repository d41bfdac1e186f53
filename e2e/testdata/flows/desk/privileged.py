from prefect import flow, get_run_logger, variables
from prefect.artifacts import create_markdown_artifact
from prefect.blocks.system import Secret
from prefect.concurrency.sync import concurrency
from prefect.deployments import run_deployment


@flow
def privileged():
    """Does at the API all that flows may do there."""
    greeting = variables.get("greeting")
    vault = Secret.load("vault").get()
    with concurrency("database", occupy=1):
        child = run_deployment("ping/default", timeout=240, poll_interval=2)
        create_markdown_artifact(key="proof", markdown="# done")
    get_run_logger().info("%s; %d letters; %s", greeting, len(vault), child.state_name)
