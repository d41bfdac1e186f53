from prefect import flow, get_run_logger
from prefect.variables import Variable


@flow
def check():
    limit = int(Variable.get("limit", default=100))
    get_run_logger().info("the limit is %d", limit)
    return limit
