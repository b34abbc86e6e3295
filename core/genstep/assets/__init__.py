"""Results on disk or in object storage: fetched, checked, named, described, and moved into place whole."""

from genstep.assets.names import stem_for
from genstep.assets.store import AssetStore

__all__ = ["AssetStore", "stem_for"]
