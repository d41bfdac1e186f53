"""What is particular to Prefect 3."""

import os
import unittest
from unittest import mock

import fake  # finds the package
from provision_glue import generation

try:
    import prefect
    NO_PREFECT = "" if prefect.__version__.startswith("3.9.") else "Prefect %s is no 3.9" % prefect.__version__
except ImportError:
    NO_PREFECT = "Prefect is not installed beside this Python"


class Bridged(unittest.TestCase):
    def test_all_runs_of_the_pool_and_no_others(self):
        for variable, run, want in (
            ({}, {"work_pool_name": "provision"}, True), ({}, {"work_pool_name": "other"}, False), ({}, {"work_pool_name": None}, False), ({}, {}, False),
            ({"PROVISION_POOL": "other"}, {"work_pool_name": "other"}, True), ({"PROVISION_POOL": "other"}, {"work_pool_name": "provision"}, False),
        ):
            with mock.patch.dict(os.environ, variable):
                self.assertEqual(want, generation.bridged(None, run, {}), (variable, run))


class Fields(unittest.TestCase):
    def test_the_server_checks_job_variables(self):
        """It does so with a schema that is not empty, and takes no pool without a job configuration."""
        template = generation.POOL["base_job_template"]
        self.assertTrue(template["job_configuration"])
        self.assertIs(False, template["variables"]["additionalProperties"])
        self.assertNotIn("{{", str(template))

    def test_deployments_say_nothing_of_how(self):
        self.assertFalse(any(generation.prepare().values()))


@unittest.skipIf(NO_PREFECT, NO_PREFECT)
class Flows(unittest.TestCase):
    def test_schema(self):
        from prefect import flow

        @flow
        def some(a: int, b: str = "x"):
            pass
        got = generation.schema(some)
        self.assertEqual(["a", "b"], sorted(got["properties"]))
        self.assertEqual(["a"], got["required"])

    def test_the_server_takes_the_template(self):
        from prefect.server.schemas.actions import WorkPoolCreate
        WorkPoolCreate(name="provision", **generation.POOL)


if __name__ == "__main__":
    unittest.main()
