"""Caches on disk: what was computed once for some content is read back for the same content.

What lives here: the render cache, shared by processes, bounded, verified on every read. What never does:
rendering, keys made from anything but content, or anything whose loss matters. Called by: ``app``,
which hands ``DiskRenderCache`` to services as the ``RenderCache`` port.
"""

from distributor.adapters.cache.disk import CacheSettings, DiskRenderCache

__all__ = ["CacheSettings", "DiskRenderCache"]
