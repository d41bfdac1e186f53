"""What a stack adds to Prefect inside its containers.

Modules run one by one as ``python -m provision_glue.NAME``. All but ``describe``, ``register`` and ``flows`` use the standard library alone,
so that a check costs milliseconds and works in images without Prefect. Nothing here knows hosts, inventories or Docker.
"""
