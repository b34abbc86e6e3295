"""The sandbox: makers of media, a provider that needs no server, and the five APIs as a local server."""
