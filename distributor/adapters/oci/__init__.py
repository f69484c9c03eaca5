"""OCI registries: artifacts looked up, fetched by digest, and unpacked with suspicion into a package's folder.

What lives here: a client of the OCI distribution specification that reads and never writes, credentials
as docker keeps them, archives, and the disk under a package. What never does: deciding what is fetched
(``services.vendoring``), rendering. Called by: ``cli``.
"""

from distributor.adapters.oci.credentials import DockerCredentials
from distributor.adapters.oci.place import PackageFolder
from distributor.adapters.oci.registry import OciRegistry
from distributor.adapters.oci.settings import Limits
from distributor.adapters.oci.transport import Transport

__all__ = ["DockerCredentials", "Limits", "OciRegistry", "PackageFolder", "Transport"]
