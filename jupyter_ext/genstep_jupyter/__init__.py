"""genstep in Jupyter: the magic, the widgets and the server extension.

The surface is not built yet: this distribution imports, and holds its name and its dependencies.
"""

__version__ = "0.1.0"
