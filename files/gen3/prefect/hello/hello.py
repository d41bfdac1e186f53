from prefect import flow, get_run_logger


@flow(name="hello", log_prints=True)
def hello(name: str = "world"):
    get_run_logger().info("Hello, %s!", name)
