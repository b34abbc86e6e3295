"""Results on disk or in object storage: fetched, checked, named, described, and moved into place whole."""

from genstep.assets.download import Download, Fetch
from genstep.assets.names import stem_for
from genstep.assets.store import AssetStore

__all__ = ["AssetStore", "Download", "Fetch", "stem_for"]
