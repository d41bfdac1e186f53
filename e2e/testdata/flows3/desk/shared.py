import socket

from prefect import flow, get_run_logger, task
from prefect.cache_policies import INPUTS, TASK_SOURCE

SHARED = {"persist_result": True, "cache_policy": INPUTS + TASK_SOURCE, "result_storage": "remote-file-system/shared"}


@task(**SHARED, result_serializer="json")
def plain(n):
    return [n, socket.gethostname()]


@task(**SHARED, result_serializer="pickle")
def pickled(n):
    return [n, socket.gethostname()]


@flow(persist_result=True, result_storage="remote-file-system/shared", result_serializer="json")
def shared(n: int):
    """Keeps results in a storage that all hosts write, and says who has made what it uses."""
    made = [task(n)[1].removeprefix("business-logic-") for task in (plain, pickled)]
    get_run_logger().info("made by %s %s", *made)
    return made
