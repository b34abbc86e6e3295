"""ImageAPI (document 004)."""
