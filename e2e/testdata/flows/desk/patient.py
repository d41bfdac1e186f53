import time

from prefect import flow, get_run_logger, variables


@flow
def patient():
    """Goes on until it is told to end, so that things can happen while it runs."""
    get_run_logger().info("begun")
    while not variables.get("enough"):
        time.sleep(1)
    get_run_logger().info("told")
