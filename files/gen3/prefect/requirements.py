"""Writes what a project's lock says as requirements with hashes, which one step installs from any index: name, version, markers, hashes, and no url.

    python requirements.py LOCK [UV] >requirements.txt

LOCK is a poetry.lock (2.1, of Poetry 2), a uv.lock or a requirements.txt; pyproject.toml stands beside it. Only what runs is taken: no group but
the main one, no extras. A lock that was made for another pyproject.toml is refused, exit code 65 and one line. Nothing here asks the network, and
no Poetry is needed.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter

POETRY = "2.1"
ENTRY = re.compile(r"[A-Za-z0-9._\[\],-]+\s*==\s*[^\s;]+(\s*;.*?)?(\s+--hash=sha\d+:[0-9a-f]+)+")


class Bad(Exception):
    """The lock cannot be used; the argument is a line."""


def poetry(project, lock):
    """The lines of a poetry.lock. It names no index but the special ones, and these only by name: the hashes decide."""
    version = str(lock.get("metadata", {}).get("lock-version"))
    if version != POETRY:
        raise Bad("poetry.lock has lock-version %s, not %s: run `poetry lock` with Poetry 2" % (version, POETRY))
    if lock["metadata"].get("content-hash") not in (content_hash(project), content_hash(project, False)):
        raise Bad("poetry.lock was made for another pyproject.toml: run `poetry lock`")
    lines = []
    for package in lock.get("package", []):
        if "main" not in package.get("groups", []) or package.get("optional"):
            continue
        kind = package.get("source", {}).get("type", "legacy")
        if kind != "legacy":
            raise Bad("poetry.lock has %s from a %s: only packages of an index have hashes" % (package["name"], kind))
        markers = package.get("markers", "")
        if isinstance(markers, dict):
            markers = markers.get("main", "")
        lines.append(line(package["name"], package["version"], markers, [file["hash"] for file in package.get("files", [])]))
    return lines


def content_hash(project, groups=True):
    """As Poetry 2 makes it of what matters in pyproject.toml."""
    tool = project.get("tool", {}).get("poetry", {})
    groups = project.get("dependency-groups", {}) if groups else {}
    keys = ("requires-python", "dependencies", "optional-dependencies")
    given = project.get("project", {})
    relevant = {key: given[key] for key in keys if given.get(key) is not None}
    poetry = {}
    for key in ("dependencies", "source", "extras", "dev-dependencies", "group"):
        if tool.get(key) is not None or not (key == "group" or relevant or groups):
            poetry[key] = tool.get(key)
    content = dict({"project": relevant} if relevant else {}, **({"dependency-groups": groups} if groups else {}))
    content = dict(content, tool={"poetry": poetry}) if content else poetry
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def line(name, version, markers, hashes):
    if not hashes:
        raise Bad("the lock has no hashes for %s" % name)
    text = "%s==%s%s" % (name, version, " ; " + markers if markers else "")
    if not re.fullmatch(r"[A-Za-z0-9._-]+==[^\s;]+( ; [^\\\n]+)?", text) or not all(re.fullmatch(r"sha(256|384|512):[0-9a-f]+", value) for value in hashes):
        raise Bad("the lock has a package that cannot be written down: %r" % text)
    return " \\\n".join([text] + ["    --hash=" + value for value in sorted(set(hashes))])


def uv(directory, lock, program):
    """The text that uv makes of its lock. It believes a lock only for the index that is named in it, and asks none."""
    registries = Counter(package.get("source", {}).get("registry") for package in lock.get("package", []))
    del registries[None]
    environment = dict(os.environ, UV_PYTHON_DOWNLOADS="never", UV_PYTHON=sys.executable)
    for name in ("UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_FIND_LINKS"):
        environment.pop(name, None)
    if registries:
        environment["UV_DEFAULT_INDEX"] = registries.most_common(1)[0][0]
    ended = subprocess.run(
        [program, "export", "--offline", "--locked", "--no-cache", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate", "--quiet"],
        cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    if ended.returncode != 0:
        said = " ".join(ended.stderr.split())
        raise Bad("uv.lock cannot be used, or was made for another pyproject.toml: run `uv lock` (%s)" % said)
    return ended.stdout


def plain(text):
    """Requirements that somebody wrote by hand would come from the index without being looked at."""
    for entry in re.sub(r"\\\n", " ", text).splitlines():
        entry = entry.partition(" #")[0].strip()
        if entry and not entry.startswith("#") and not ENTRY.fullmatch(entry):
            raise Bad("requirements.txt has a line that is no package with its version and hashes: %s" % entry[:100])
    return text


def convert(lock, program="uv"):
    """The requirements of a lock file."""
    directory, name = os.path.split(os.path.abspath(lock))
    with open(lock, encoding="utf-8") as file:
        text = file.read()
    try:
        if name == "poetry.lock":
            with open(os.path.join(directory, "pyproject.toml"), "rb") as file:
                return "\n".join(poetry(tomllib.load(file), tomllib.loads(text))) + "\n"
        if name == "uv.lock":
            return uv(directory, tomllib.loads(text), program)
    except tomllib.TOMLDecodeError as error:
        raise Bad("pyproject.toml or %s is no TOML: %s" % (name, error)) from None
    return plain(text)


def main(arguments):
    if not 1 <= len(arguments) <= 2:
        print("usage: python requirements.py DIRECTORY [UV]", file=sys.stderr)
        return 64
    try:
        sys.stdout.write(convert(*arguments))
    except (Bad, OSError, KeyError, TypeError, AttributeError) as error:
        print("requirements: %s" % (error if isinstance(error, (Bad, OSError)) else "the lock is not as it should be: %r" % error), file=sys.stderr)
        return 65
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
