import time

from prefect import flow, get_run_logger
from prefect.events import emit_event
from prefect.variables import Variable


@flow
def telling():
    """Has each new word of a variable in its log and in an event, until the word is "end"."""
    said = None
    while said != "end":
        word = Variable.get("word")
        if word != said:
            get_run_logger().info("the word is %s", word)
            emit_event("desk.word", resource={"prefect.resource.id": "desk." + word, "prefect.resource.name": word})
            said = word
        time.sleep(1)
