import socket

from prefect import flow, get_run_logger
from tabulate import tabulate


@flow
def report(rows: int = 1):
    """Needs a dependency of this project's own."""
    text = tabulate([[n, n * n] for n in range(rows)])
    get_run_logger().info("table of %d rows by tabulate on %s", text.count("\n") - 1, socket.gethostname())
