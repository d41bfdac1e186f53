from prefect import flow, get_run_logger, task
from prefect.tasks import task_input_hash

tries = []


@task
def first():
    return 1


@task(persist_result=True, result_serializer="json")
def listed(n):
    return list(range(n))


@task(persist_result=True, cache_key_fn=task_input_hash)
def twice(n):
    return {"n": 2 * n}


@task(retries=1, retry_delay_seconds=0)
def second_time():
    tries.append(1)
    if len(tries) == 1:
        raise RuntimeError("once")
    return len(tries)


@flow(persist_result=True)
def child(n):
    return n + 1


@flow
def kept():
    """Does with results what flows do: in memory, in storage, cached, mapped, retried, of a subflow."""
    one = first()
    mapped = [future.result()["n"] for future in twice.map([one, 2])]
    again = twice(1, return_state=True)
    get_run_logger().info("kept %s %s %s %s %s %s", one, listed(3), mapped, again.name, second_time(), child(1, return_state=True).result())
