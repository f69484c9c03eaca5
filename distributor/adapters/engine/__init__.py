"""The door to the render engine: frames, worker processes, and the errors that it answers with.

What lives here: the wire format as pure functions, the pool that starts, bounds and replaces workers.
What never does: knowledge of packages, environments or layers, and caching. Called by: ``app``, which
hands ``EnginePool`` to services as the ``RenderEngine`` port.
"""

from distributor.adapters.engine.pool import EnginePool
from distributor.adapters.engine.settings import EngineSettings
from distributor.adapters.engine.worker import WorkerStatus

__all__ = ["EnginePool", "EngineSettings", "WorkerStatus"]
