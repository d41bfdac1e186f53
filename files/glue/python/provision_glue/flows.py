"""The flow that proves a host: whatever the user's own flows are, this one is there and does nothing."""

import socket

from prefect import flow, get_run_logger


@flow(name="provision-smoke")
def smoke(nonce: str = ""):
    """Says where it ran. The line is read back by ``provision_glue.smoke``."""
    get_run_logger().info("provision-smoke nonce=%s host=%s", nonce, socket.gethostname())
