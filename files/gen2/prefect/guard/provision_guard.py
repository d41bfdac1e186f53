"""What the API hands out stays data: no Prefect of an image runs what another host has put into a state.

A token for flow runs may create task runs and set the state of any run, so what stands in a state may come from any host. Prefect 2.20 decodes it
further than that allows: it unpickles the data documents of its first versions, follows the path of a stored result out of its storage, and calls
whatever name stands in a stored JSON. ``provision_guard.pth`` loads this file into every Python of the environment before anything of Prefect; each
of the three is replaced as soon as its module is there. A Prefect without them cannot be imported: then this file has to be looked at.

    python -m provision_guard      exit code 0 if all of it holds in this environment; the build of an image runs it
"""

import functools
import importlib.abc
import importlib.machinery
import sys


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
    """A stored result is read within its storage."""
    read = module.PersistedResult._read_blob

    @functools.wraps(read)
    async def guarded(self, *arguments, **named):
        if ".." in self.storage_key.replace("\\", "/").split("/"):
            raise Refused("the result %r lies outside of its storage: it is refused" % self.storage_key)
        return await read(self, *arguments, **named)

    module.PersistedResult._read_blob = guarded


def serializers(module):
    """A JSON result names exceptions and types alone, of modules that are imported here."""
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


GUARDED = {
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
        from prefect.serializers import prefect_json_object_decoder
    except ImportError as error:
        print("guard: %s" % error, file=sys.stderr)
        return 1
    for function in (DataDocument.decode, PersistedResult._read_blob, prefect_json_object_decoder):
        if guard is None or function.__code__.co_filename != guard.__file__:
            print("guard: %s is Prefect's own" % function.__qualname__, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
else:
    sys.meta_path.insert(0, Finder())
