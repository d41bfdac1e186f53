"""Times as the API writes them. Ages are always told by the server's clock, never by two clocks."""

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime


def parse(text):
    """An RFC 3339 time of the API, or None. Python 3.8 reads neither a final Z nor fractions of other than 3 or 6 digits."""
    if not text:
        return None
    text = text.strip().replace("Z", "+00:00")
    head, dot, rest = text.partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        text = head + "." + (rest[:digits] + "000000")[:6] + rest[digits:]
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def age(text, date_header):
    """Seconds from an API time to the Date header of an answer, or None."""
    then = parse(text)
    if then is None or not date_header:
        return None
    now = parsedate_to_datetime(date_header)
    return round((now - then).total_seconds(), 1)
