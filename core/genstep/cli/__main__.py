"""``python -m genstep.cli``, where the ``genstep`` script is not on the path."""

from genstep.cli import main

main()
