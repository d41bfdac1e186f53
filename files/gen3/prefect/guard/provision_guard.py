"""What the API hands out stays data: no Prefect of an image runs what another host has put into a state.

A token for flow runs may set the state of any run and start any deployment with any parameters, so what stands in a state, and what a flow has been
given and has kept as its result, may come from any host. Prefect 3 believes both further than that allows. A state names the file of a result,
anywhere on the machine, and the serializer that reads it: with it a module to import (at the mere sight of the state), a function to call with what
is read, and whether a kept JSON text is a pickle after all. A JSON result names types and functions, which are imported and called.
``provision_guard.pth`` loads this file into every Python of the environment before anything of Prefect; what decodes is replaced as soon as its
module is there. A Prefect without it cannot be imported: then this file has to be looked at.

Results are pickles where a flow does not say otherwise, and who writes a pickle runs code where it is read. So those of a storage that others may
write (a bucket, a share) are refused, whatever names them: a state, a cache, or the file itself, which says how it is read. JSON is read from
everywhere. PROVISION_PICKLED_RESULTS=any takes this away; [business_logic] pickled_results sets it.

A state may name any block that is a storage.

    python -m provision_guard      exit code 0 if all of it holds in this environment; the build of an image runs it
"""

import contextlib
import contextvars
import functools
import importlib.abc
import importlib.machinery
import os
import re
import sys

# By which a serializer may be named: they do nothing when imported but to be there, and what they decode is the storage's.
LIBRARIES = frozenset((
    "cloudpickle", "pickle", "dill", "json", "simplejson", "ujson",
    "lzma", "bz2", "gzip", "zlib", "blosc", "brotli", "lz4.frame", "snappy", "zstandard",
))
DECODER = "prefect.serializers.prefect_json_object_decoder"
BASE64 = re.compile(rb"[A-Za-z0-9+/\s]*=*\s*")

# The result store that is being read, with what was refused of it.
reading = contextvars.ContextVar("reading", default=None)


class Refused(ValueError):
    """Something that came from the API or from a storage, and would run code here."""


def results(module):
    """A stored result is read within its storage, and one of this machine within PREFECT_LOCAL_STORAGE_PATH."""
    read = module.ResultStore._from_metadata.__func__

    @functools.wraps(read)
    async def guarded(cls, metadata):
        key = metadata.storage_key or ""
        if ".." in key.replace("\\", "/").split("/"):
            raise Refused("the result %r lies outside of its storage: it is refused" % key)
        if metadata.storage_block_id is None and os.path.isabs(key):
            base = os.path.realpath(os.path.expanduser(str(module.get_current_settings().results.local_storage_path)))
            if os.path.commonpath((base, os.path.realpath(key))) != base:
                raise Refused("the result %r lies outside of PREFECT_LOCAL_STORAGE_PATH: it is refused; keep results there or in a block" % key)
        return await read(cls, metadata)

    module.ResultStore._from_metadata = classmethod(guarded)
    store = module.ResultStore
    store._read, store._aread = _read(store._read), _aread(store._aread)
    store._exists, store._aexists = _exists(store._exists), _aexists(store._aexists)


class _Reading:
    def __init__(self, store, key):
        self.store = store
        self.key = key
        self.refused = None

    def pickle(self):
        """Refuses one that another host may have written. A directory of this machine is written by flows of this machine alone."""
        from prefect.filesystems import LocalFileSystem
        storage = self.store.result_storage
        if isinstance(storage, LocalFileSystem) or os.environ.get("PROVISION_PICKLED_RESULTS") == "any":
            return
        self.refused = Refused(
            "the result %r is a pickle in a storage that others may write (%s), and a pickle runs code where it is read: it is refused; "
            "have it kept as JSON (result_serializer=\"json\")" % (self.key, type(storage).__name__)
        )
        raise self.refused

    def tell(self):
        """To look whether a result is there is to read it, and Prefect takes any error for a no."""
        if self.refused is not None:
            from prefect.logging import get_logger, get_run_logger
            try:
                logger = get_run_logger()
            except Exception:  # outside of a run
                logger = get_logger("results")
            logger.warning("%s; what would be read from there is made again", self.refused)


@contextlib.contextmanager
def _reads(store, key):
    now = _Reading(store, key)
    token = reading.set(now)
    try:
        yield now
    finally:
        reading.reset(token)


def _read(read):
    @functools.wraps(read)
    def guarded(self, key, *arguments, **named):
        with _reads(self, key):
            return read(self, key, *arguments, **named)

    return guarded


def _aread(read):
    @functools.wraps(read)
    async def guarded(self, key, *arguments, **named):
        with _reads(self, key):
            return await read(self, key, *arguments, **named)

    return guarded


def _exists(exists):
    @functools.wraps(exists)
    def guarded(self, key):
        with _reads(self, key) as now:
            found = exists(self, key)
        now.tell()
        return found

    return guarded


def _aexists(exists):
    @functools.wraps(exists)
    async def guarded(self, key):
        with _reads(self, key) as now:
            found = await exists(self, key)
        now.tell()
        return found

    return guarded


def serializers(module):
    """A serializer reads what such a one has written, with libraries that are known and with Prefect's own decoder."""
    for name in ("validate_picklelib", "validate_compressionlib"):
        setattr(module, name, _named(getattr(module, name)))
    for owner in (module.PickleSerializer, module.CompressedSerializer):
        owner.loads = _base64(owner.loads)
    module.PickleSerializer.loads = _own(module.PickleSerializer.loads)
    module.JSONSerializer.loads = _decoded(module.JSONSerializer.loads)
    module.prefect_json_object_decoder = _types(module.prefect_json_object_decoder)


def _named(validate):
    @functools.wraps(validate)
    def guarded(value):
        if value not in LIBRARIES:
            raise Refused("a serializer names the library %r: it is refused" % value)
        return validate(value)

    return guarded


def _base64(loads):
    """Python's decoder drops all other characters, so that a JSON text passes for a pickle."""
    @functools.wraps(loads)
    def guarded(self, blob):
        if not BASE64.fullmatch(blob):
            raise Refused("the result is none of a serializer of type %r: it is refused" % self.type)
        return loads(self, blob)

    return guarded


def _own(loads):
    @functools.wraps(loads)
    def guarded(self, blob):
        now = reading.get()
        if now is not None:
            now.pickle()
        return loads(self, blob)

    return guarded


def _decoded(loads):
    @functools.wraps(loads)
    def guarded(self, blob):
        if self.jsonlib not in LIBRARIES or self.object_decoder not in (None, DECODER):
            raise Refused("a serializer names %r and %r to decode JSON: it is refused" % (self.jsonlib, self.object_decoder))
        return loads(self, blob)

    return guarded


def _types(decode):
    """A JSON result names exceptions and types alone, of modules that are imported here."""
    @functools.wraps(decode)
    def guarded(result):
        key = "__class__" if "__class__" in result else "__exc_type__"
        if key in result and not _cannot_be_imported(str(result[key])):
            module, _, attribute = str(result[key]).rpartition(".")
            found = getattr(sys.modules.get(module), attribute, None)
            if not isinstance(found, type):
                raise Refused("the result names %r, which is no type of a module that is imported here: it is refused" % result[key])
            if key == "__exc_type__" and not issubclass(found, BaseException):
                raise Refused("the result names %r as an exception: it is refused" % result[key])
            if found.__name__ in ("ImportString", "PyObject"):  # pydantic's types for what is to be imported
                raise Refused("the result names something to import: it is refused")
        return decode(result)

    return guarded


def _cannot_be_imported(name):
    """A type within a type or a function of an imported module that is no package: Prefect finds nothing there and leaves the data as it is."""
    parts = name.split(".")
    modules = (sys.modules.get(".".join(parts[:cut])) for cut in range(1, len(parts) - 1))
    return any(module is not None and not hasattr(module, "__path__") for module in modules)


def triggers(module):
    """An automation of ours looks at the run before it ends it. Only the server has this module, and beside it the package."""
    from provision_glue import silence
    silence.install(module)


def client(module):
    """A run that begins while Caddy restarts waits for it, as Prefect does for a server behind it: as often as PREFECT_CLIENT_MAX_RETRIES says."""
    for kind in (module.PrefectHttpxAsyncClient, module.PrefectHttpxSyncClient):
        kind._send_with_retry = _patient(kind._send_with_retry)


def _patient(send):
    @functools.wraps(send)
    def guarded(self, *arguments, retry_exceptions=(), **named):
        if "PREFECT__FLOW_RUN_ID" in os.environ:
            from httpx import ConnectError
            retry_exceptions = (*retry_exceptions, ConnectError)
        return send(self, *arguments, retry_exceptions=retry_exceptions, **named)

    return guarded


GUARDED = {
    "prefect.client.base": client,
    "prefect.results": results,
    "prefect.serializers": serializers,
    "prefect.server.events.triggers": triggers,
}


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of ``GUARDED``, and has each one guarded once it has been executed."""

    def find_spec(self, name, path=None, target=None):
        guard = GUARDED.get(name)
        if guard is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                guard(module)

            spec.loader.exec_module = exec_module
        return spec


def main():
    guard = sys.modules.get("provision_guard")
    try:
        from prefect import serializers as module
        from prefect.client import base
        from prefect.results import ResultStore
        functions = (
            base.PrefectHttpxAsyncClient._send_with_retry, base.PrefectHttpxSyncClient._send_with_retry,
            ResultStore._from_metadata.__func__, ResultStore._read, ResultStore._aread, ResultStore._exists, ResultStore._aexists, module.validate_picklelib, module.validate_compressionlib, module.PickleSerializer.loads,
            module.CompressedSerializer.loads, module.JSONSerializer.loads, module.prefect_json_object_decoder,
        )
    except (ImportError, AttributeError) as error:
        print("guard: %s" % error, file=sys.stderr)
        return 1
    for function in functions:
        if guard is None or function.__code__.co_filename != guard.__file__:
            print("guard: %s is Prefect's own" % function.__qualname__, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
else:
    sys.meta_path.insert(0, Finder())
