"""The processes of a studio on one machine: Redis, the web server and a worker, kept alive together.

Called by the commands ``up``, ``worker``, ``backup`` and ``doctor``. Starts the web application only as other
processes; must not import it, nor the engine.
"""
