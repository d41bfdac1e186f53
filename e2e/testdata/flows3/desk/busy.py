from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.blocks.system import Secret
from prefect.concurrency.sync import concurrency
from prefect.deployments import run_deployment
from prefect.events import emit_event
from prefect.variables import Variable


@task
def double(n):
    return 2 * n


@task(persist_result=True, result_serializer="json")
def listed(n):
    return list(range(n))


@flow
def child(n):
    return double(n)


@flow
def busy():
    """Does what flows may do: five task runs, a subflow, a variable, a secret, a slot, another deployment, an artifact, an event."""
    doubled = double.map([1, 2, 3]).result()
    three = listed(3)
    greeting = Variable.get("greeting")
    vault = Secret.load("vault").get()
    with concurrency("database", occupy=1):
        other = run_deployment("ping/default", timeout=240, poll_interval=2)
    create_markdown_artifact(key="proof", markdown="# done")
    emit_event("desk.done", resource={"prefect.resource.id": "desk"})
    get_run_logger().info("%s %s %s; %d letters; %s; %d", doubled, three, greeting, len(vault), other.state_name, child(4))
