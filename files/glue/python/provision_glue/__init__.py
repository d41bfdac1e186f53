"""What a stack adds to Prefect inside its containers.

Modules run one by one as ``python -m provision_glue.NAME``. All but ``describe``, ``flows`` and what a generation adds use the standard library
alone, so that a check costs milliseconds and works in images without Prefect. What differs between generations of the stack stands in
``generation``, which each of them brings. Nothing here knows hosts, inventories or Docker.
"""
