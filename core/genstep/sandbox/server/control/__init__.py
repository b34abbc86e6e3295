"""Seeing and steering the sandbox server: from Python, over HTTP, and on a page."""
