"""genstep as an HTTP proxy: the server beside the WordPress plugin.

The surface is not built yet: this distribution imports, and holds its name and its dependencies.
"""

__version__ = "0.1.0"
