import os
import subprocess
import tempfile
import unittest

ENTRYPOINT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "entrypoint")
SECRET = "0123456789abcdef" * 4


class Entrypoint(unittest.TestCase):
    def run_with(self, secrets, *command, content=None):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "secret")
            if content is not None:
                with open(path, "w") as file:
                    file.write(content)
            environment = {"PATH": os.environ["PATH"], "PROVISION_SECRETS": secrets.replace("@", path)}
            done = subprocess.run(["/bin/sh", ENTRYPOINT] + list(command), env=environment, stdout=-1, stderr=-1)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_exports_and_becomes_the_command(self):
        for content in (SECRET, SECRET + "\n"):
            code, out, _ = self.run_with("A=@ B_2=@", "sh", "-c", 'printf %s "$A|$B_2"; exit 3', content=content)
            self.assertEqual((code, out), (3, SECRET + "|" + SECRET))

    def test_within_a_value(self):
        code, out, _ = self.run_with("URL=redis://:{@}!valkey:6379/1", "sh", "-c", 'printf %s "$URL"', content=SECRET)
        self.assertEqual((code, out), (0, "redis://:%s!valkey:6379/1" % SECRET))

    def test_a_token_is_a_header(self):
        code, out, _ = self.run_with("PROVISION_TOKEN=@", "sh", "-c", 'printf "%s|%s" "$PROVISION_TOKEN" "$PREFECT_CLIENT_CUSTOM_HEADERS"', content=SECRET)
        self.assertEqual((code, out), (0, SECRET + "|" + '{"Authorization":"Bearer %s"}' % SECRET))

    def test_becomes_the_same_process(self):
        process = subprocess.Popen(["/bin/sh", ENTRYPOINT, "sh", "-c", "echo $$"], stdout=-1)
        self.assertEqual(int(process.communicate()[0]), process.pid)

    def test_nothing_named(self):
        self.assertEqual(self.run_with("", "printf", "%s", "*")[:2], (0, "*"))

    def test_refuses(self):
        for secrets, content in (
            ("A=@", None), ("A=@", ""), ("A=@", SECRET[:31]), ("A=@", "\n" * 40), ("A=/", SECRET), ("1A=@", SECRET), ("A-B=@", SECRET), ("=@", SECRET), ("A", SECRET), ("A=x{/nowhere}", SECRET), ("A={@", SECRET), ("A=@}", SECRET),
            ("A=@ B=/nowhere", SECRET),
        ):
            code, out, err = self.run_with(secrets, "echo", "started", content=content)
            self.assertEqual((code, out), (78, ""), (secrets, content))
            self.assertEqual(err.count("\n"), 1, err)
            self.assertNotIn(SECRET[:31], err)

    def test_without_a_command(self):
        self.assertEqual(self.run_with("A=@", content=SECRET)[0], 78)


if __name__ == "__main__":
    unittest.main()
