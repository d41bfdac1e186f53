"""What the API hands out stays data: no Prefect of an image runs what another host has put into a state.

A token for flow runs may create task runs and set the state of any run, so what stands in a state may come from any host. Prefect 2.20 decodes it
further than that allows: it unpickles the data documents of its first versions, follows the path of a stored result out of its storage, imports the
libraries that a stored result names, and calls whatever name stands in a stored JSON. ``provision_guard.pth`` loads this file into every Python of the
environment before anything of Prefect; what decodes is replaced as soon as its module is there. A Prefect without it cannot be imported: then this
file has to be looked at.

Results are pickles where a flow does not say otherwise, and who writes a pickle runs code where it is read. So those of a storage that others may
write (a bucket, a share) are refused. JSON is read from everywhere. PROVISION_PICKLED_RESULTS=any takes this away; [business_logic] pickled_results
sets it.

    python -m provision_guard      exit code 0 if all of it holds in this environment; the build of an image runs it
"""

import functools
import importlib.abc
import importlib.machinery
import os
import sys

# By which a serializer may be named: they do nothing when imported but to be there, and what they decode is the storage's.
LIBRARIES = frozenset((
    "cloudpickle", "pickle", "dill", "json", "simplejson", "ujson", "orjson",
    "lzma", "bz2", "gzip", "zlib", "blosc", "brotli", "lz4.frame", "snappy", "zstandard",
))
DECODER = "prefect.serializers.prefect_json_object_decoder"


class Refused(ValueError):
    """Something that came from the API or from a storage, and would run code here."""


def data_documents(module):
    """A data document gives what this process has put into it, and nothing that was sent."""
    decode = module.DataDocument.decode

    @functools.wraps(decode)
    def guarded(self):
        if not self.has_cached_data():
            raise Refused("the state holds a data document of Prefect's first versions: it is refused, because it could run code")
        return decode(self)

    module.DataDocument.decode = guarded


def results(module):
    """A stored result is read within its storage, and as a pickle only where no other host can write it."""
    read = module.PersistedResult._read_blob

    @functools.wraps(read)
    async def guarded(self, *arguments, **named):
        if ".." in self.storage_key.replace("\\", "/").split("/"):
            raise Refused("the result %r lies outside of its storage: it is refused" % self.storage_key)
        blob = await read(self, *arguments, **named)
        if _pickled(blob.serializer) and os.environ.get("PROVISION_PICKLED_RESULTS") != "any":
            storage = await _storage(module, self.storage_block_id, named.get("client"))
            if not isinstance(storage, module.LocalFileSystem):
                raise Refused(
                    "the result %r is a pickle in a storage that others may write (%s), and a pickle runs code where it is read: it is refused; "
                    "have it kept as JSON (result_serializer=\"json\")" % (self.storage_key, type(storage).__name__)
                )
        return blob

    module.PersistedResult._read_blob = guarded


def _pickled(serializer):
    while hasattr(serializer, "serializer"):  # a compressed one
        serializer = serializer.serializer
    return hasattr(serializer, "picklelib")


async def _storage(module, number, client):
    if client is None:
        from prefect.client.orchestration import get_client
        async with get_client() as client:
            return await _storage(module, number, client)
    return module.Block._from_block_document(await client.read_block_document(number))


def serializers(module):
    """A stored result is decoded with libraries that are known and with Prefect's own decoder, which makes exceptions and types alone, of modules that
    are imported here."""
    for name in ("validate_picklelib", "validate_compressionlib"):
        setattr(module, name, _named(getattr(module, name)))
    module.JSONSerializer.loads = _decoded(module.JSONSerializer.loads)
    decode = module.prefect_json_object_decoder

    @functools.wraps(decode)
    def guarded(result):
        key = "__class__" if "__class__" in result else "__exc_type__"
        if key in result:
            name, _, attribute = str(result[key]).rpartition(".")
            found = getattr(sys.modules.get(name), attribute, None)
            if not isinstance(found, type):
                raise Refused("the result names %r, which is no type of a module that is imported here: it is refused" % result[key])
            if key == "__exc_type__" and not issubclass(found, BaseException):
                raise Refused("the result names %r as an exception: it is refused" % result[key])
            if found.__name__ == "PyObject":  # pydantic's type for what is to be imported
                raise Refused("the result names something to import: it is refused")
        return decode(result)

    module.prefect_json_object_decoder = guarded


def _named(validate):
    @functools.wraps(validate)
    def guarded(value):
        if value not in LIBRARIES:
            raise Refused("a serializer names the library %r: it is refused" % value)
        return validate(value)

    return guarded


def _decoded(loads):
    @functools.wraps(loads)
    def guarded(self, blob):
        if self.jsonlib not in LIBRARIES or self.object_decoder not in (None, DECODER):
            raise Refused("a serializer names %r and %r to decode JSON: it is refused" % (self.jsonlib, self.object_decoder))
        return loads(self, blob)

    return guarded


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
    "prefect.deprecated.data_documents": data_documents,
    "prefect.results": results,
    "prefect.serializers": serializers,
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
        from prefect.deprecated.data_documents import DataDocument
        from prefect.results import PersistedResult
        from prefect import serializers as module
        from prefect.client import base
        functions = (
            base.PrefectHttpxAsyncClient._send_with_retry, base.PrefectHttpxSyncClient._send_with_retry,
            DataDocument.decode, PersistedResult._read_blob, module.validate_picklelib, module.validate_compressionlib, module.JSONSerializer.loads,
            module.prefect_json_object_decoder,
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
