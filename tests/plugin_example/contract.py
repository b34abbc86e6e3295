"""Scribble keeps the contract of providers; the plug-in is found by its entry point. Run: pytest contract.py"""

import genstep
from genstep.testing import ProviderContract


class TestScribble(ProviderContract):
    account = genstep.Account(provider="scribble")
