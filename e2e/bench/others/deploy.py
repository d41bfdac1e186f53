# The job for pyinfra: what differs is put right, and nothing does.
import json
import os

from pyinfra import host
from pyinfra.operations import apt, files, server, systemd

with open(os.environ["BENCH_JOB"]) as f:
    job = json.load(f)

apt.packages(name="packages", packages=job["packages"])
for f in job["files"][host.name]:
    files.put(name=f["path"], src=f["source"], dest=f["path"], mode=f["mode"])
systemd.service(name="the engine", service="docker", running=True, enabled=True)
server.shell(name="containers", commands=[job["containers"]])
