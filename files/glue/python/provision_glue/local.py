"""Where the API is for programs in the server's own container."""

import os

URL = os.environ.get("PROVISION_LOCAL_API", "http://127.0.0.1:4200/api")
