"""ImagineLab (document 002)."""
