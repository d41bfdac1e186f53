"""From locks to requirements with hashes."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
try:
    import requirements
    NO_TOML = ""
except ImportError:  # Python before 3.11
    NO_TOML = "this Python reads no TOML"

PROJECT = """
[project]
name = "business"
version = "0.0.0"
requires-python = ">=3.13,<3.14"
dependencies = ["prefect==3.9.1", "requests[socks]>=2.31", "colorama"]
[tool.poetry]
package-mode = false
[tool.poetry.group.dev.dependencies]
pytest = "*"
[tool.poetry.group.extra]
optional = true
[tool.poetry.group.extra.dependencies]
tzdata = "*"
"""
# What Poetry 2.5.1 wrote for it.
HASH = "793e20134ef49c29e8fcf09239f9193d54ab6b654cb5c883b640c1bdec8ab61e"
A, B = (hashlib.sha256(x).hexdigest() for x in (b"a", b"b"))
LOCK = """
[[package]]
name = "one"
version = "1.0"
optional = false
groups = ["main"]
files = [{file = "one-1.0.tar.gz", hash = "sha256:%(b)s"}, {file = "one-1.0.whl", hash = "sha256:%(a)s"}]

[[package]]
name = "two"
version = "2.0+local"
optional = false
groups = ["main", "dev"]
markers = {main = "sys_platform == \\"win32\\" or extra_thing == 'x'", dev = "sys_platform == \\"linux\\""}
files = [{file = "two.whl", hash = "sha256:%(a)s"}]

[[package]]
name = "three"
version = "3"
optional = false
groups = ["main"]
markers = "platform_python_implementation != \\"PyPy\\""
files = [{file = "three.whl", hash = "sha256:%(a)s"}]
[package.source]
type = "legacy"
url = "https://example.org/simple"
reference = "mine"

[[package]]
name = "of-an-extra"
version = "1"
optional = true
groups = ["main"]
markers = "extra == \\"x\\""
files = [{file = "x.whl", hash = "sha256:%(a)s"}]

[[package]]
name = "for-developers"
version = "1"
optional = false
groups = ["dev"]
files = [{file = "x.whl", hash = "sha256:%(a)s"}]

[metadata]
lock-version = "2.1"
python-versions = ">=3.13,<3.14"
content-hash = "%(hash)s"
""" % {"a": A, "b": B, "hash": HASH}
WANTED = """one==1.0 \\
    --hash=sha256:%s \\
    --hash=sha256:%s
two==2.0+local ; sys_platform == "win32" or extra_thing == 'x' \\
    --hash=sha256:%s
three==3 ; platform_python_implementation != "PyPy" \\
    --hash=sha256:%s
""" % (min(A, B), max(A, B), A, A)


@unittest.skipIf(NO_TOML, NO_TOML)
class Locks(unittest.TestCase):
    def convert(self, name, text, project=PROJECT):
        with tempfile.TemporaryDirectory() as directory:
            for file, content in (("pyproject.toml", project), (name, text)):
                with open(os.path.join(directory, file), "w") as out:
                    out.write(content)
            return requirements.convert(os.path.join(directory, name))

    def test_poetry(self):
        self.assertEqual(WANTED, self.convert("poetry.lock", LOCK))

    def test_poetry_for_another_project(self):
        for project in (PROJECT.replace("colorama", "idna"), PROJECT.replace("pytest", "tox"), PROJECT.replace("<3.14", "<3.15")):
            with self.assertRaisesRegex(requirements.Bad, "made for another"):
                self.convert("poetry.lock", LOCK, project)
        self.convert("poetry.lock", LOCK, PROJECT.replace('"0.0.0"', '"1.0.0"'))

    def test_poetry_that_cannot_be_used(self):
        for change, said in (
            (('lock-version = "2.1"', 'lock-version = "2.0"'), "lock-version 2.0"), (('type = "legacy"', 'type = "git"'), "three from a git"),
            (('files = [{file = "three.whl", hash = "sha256:%s"}]' % A, "files = []"), "no hashes for three"), (('version = "3"', 'version = "3 --index-url=x"'), "written down"),
            (('name = "three"', 'name = "-r x"'), "written down"), (("\\\"PyPy\\\"", "\\\"\\n--pre\\\""), "written down"), (("[metadata]", "[metadata"), "no TOML"),
        ):
            self.assertIn(change[0], LOCK)
            with self.assertRaisesRegex(requirements.Bad, said):
                self.convert("poetry.lock", LOCK.replace(*change))

    @unittest.skipUnless(shutil.which("uv"), "uv is not installed")
    def test_uv(self):
        """Without the network: a lock of nothing but a group for developers."""
        project = "[project]\nname = 'business'\nversion = '0.0.0'\nrequires-python = '>=3.13,<3.14'\ndependencies = []\n"
        lock = "version = 1\nrevision = 3\nrequires-python = '==3.13.*'\n[[package]]\nname = 'business'\nversion = '0.0.0'\nsource = { virtual = '.' }\n"
        self.assertEqual("", self.convert("uv.lock", lock, project))
        with self.assertRaisesRegex(requirements.Bad, "made for another"):
            self.convert("uv.lock", lock, project.replace("[]", "['one']"))

    def test_plain(self):
        text = "# made by uv\none==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:%s \\\n    --hash=sha256:%s\n    # via x\nthree[x]==3 --hash=sha256:%s\n" % (A, B, A)
        self.assertEqual(text, self.convert("requirements.txt", text))
        for line in ("one==1.0", "one>=1 --hash=sha256:" + A, "--index-url https://x", "-r other.txt", "one @ https://x --hash=sha256:" + A, "./one"):
            with self.assertRaises(requirements.Bad, msg=line):
                self.convert("requirements.txt", text + line + "\n")

    def test_what_stands_beside_it(self):
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        for name in ("base/requirements.txt", "tools.txt"):
            with open(os.path.join(here, name)) as file:
                text = file.read()
            self.assertEqual(text, requirements.plain(text))
            self.assertNotIn("://", text)

    def test_one_line_says_what_is_wrong(self):
        with tempfile.TemporaryDirectory() as directory:
            for file, content in (("pyproject.toml", PROJECT), ("poetry.lock", "[metadata]\nlock-version = '1.1'\n")):
                with open(os.path.join(directory, file), "w") as out:
                    out.write(content)
            for lock in ("poetry.lock", "uv.lock"):
                ended = subprocess.run([sys.executable, requirements.__file__, os.path.join(directory, lock)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.assertEqual((65, b"", 1), (ended.returncode, ended.stdout, ended.stderr.count(b"\n")))


if __name__ == "__main__":
    unittest.main()
