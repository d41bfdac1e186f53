from prefect import flow, get_run_logger, task
from tabulate import tabulate


@task
def squares(rows: int):
    return [[n, n * n] for n in range(rows)]


@flow
def report(rows: int = 3):
    get_run_logger().info("\n%s", tabulate(squares(rows), headers=["n", "n²"]))
