"""AI Visual Studio (document 003)."""
