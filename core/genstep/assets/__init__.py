"""Results on disk or in object storage: fetched, checked, named, described, and moved into place whole."""

from genstep.assets.names import stem_for
from genstep.assets.store import AssetStore, path_of

__all__ = ["AssetStore", "path_of", "stem_for"]
