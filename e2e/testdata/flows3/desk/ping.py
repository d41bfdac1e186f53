from prefect import flow


@flow
def ping():
    return "pong"
