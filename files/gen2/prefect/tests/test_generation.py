"""What is particular to Prefect 2."""

import unittest

import fake
from provision_glue import generation


class Bridged(unittest.TestCase):
    def test_the_block_of_the_deployment_says_it(self):
        asked = []

        def answer(method, path, body, _):
            asked.append(path)
            if path.startswith("/deployments/"):
                return 200, {"infrastructure_document_id": {"bridged": "b", "own": "o", "none": None}[path.rpartition("/")[2]]}
            return 200, {"name": {"b": generation.BLOCK, "o": "process"}[path.rpartition("/")[2]]}

        api, seen = fake.Fake(self, answer).api(), {}
        for deployment, want in (("bridged", True), ("own", False), ("none", False), (None, False), ("bridged", True)):
            self.assertEqual(generation.bridged(api, {"deployment_id": deployment}, seen), want, deployment)
        self.assertEqual(asked.count("/deployments/bridged"), 1)


if __name__ == "__main__":
    unittest.main()
