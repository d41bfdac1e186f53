from prefect import flow, get_run_logger, variables


@flow
def check():
    limit = int(variables.get("limit", default="100"))
    get_run_logger().info("the limit is %d", limit)
    return limit
