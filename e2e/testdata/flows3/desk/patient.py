import time

from prefect import flow, get_run_logger
from prefect.variables import Variable


@flow
def patient(alone: bool = False):
    """Goes on until it is told to end, so that things can happen while it runs; alone, it asks nobody and goes on for ever."""
    get_run_logger().info("begun")
    while alone or not Variable.get("enough"):
        time.sleep(1)
    get_run_logger().info("told")
