"""Each of our providers keeps the contract of `genstep.testing`: at the sandbox server, the built-in sandbox alone."""

from __future__ import annotations

from itertools import count

import pytest

import genstep
from genstep.providers.aivisualstudio import AIVisualStudio
from genstep.providers.conceptviz import ConceptViz
from genstep.providers.imageapi import ImageAPI
from genstep.providers.imaginelab import ImagineLab
from genstep.providers.nanobanana import NanoBanana
from genstep.sandbox.provider import Sandbox
from genstep.testing import ProviderContract

NUMBERS = count(1)


class OnServer(ProviderContract):
    """At the sandbox server, with a key that no other test uses."""

    @pytest.fixture
    def account(self, server):
        kind = self.provider
        key = f"{kind.key_prefix}fakefakefake{next(NUMBERS):04}"
        return genstep.Account(provider=kind.slug, api_key=key, base_url=server.base(kind.slug))


class TestConceptViz(OnServer):
    provider = ConceptViz
    requests = ({"prompt": "water cycle diagram", "aspect_ratio": "1:1"}, {"prompt": "a fox", "quality": "4k", "n": 3})


class TestNanoBanana(OnServer):
    provider = NanoBanana
    requests = (
        {"prompt": "a fox", "n": 2},
        {"prompt": "a fox", "kind": "video", "resolution": "360p", "duration": 1},
        {"kind": "model3d", "image": "https://pictures.example/chair.png"},
    )


class TestImagineLab(OnServer):
    provider = ImagineLab
    requests = (
        {"prompt": "a fox", "kind": "image", "model": "seedream-5.0-lite"},
        {"prompt": "a fox", "kind": "video", "model": "sandbox-video", "options": {"duration": 1}},
        {"prompt": "a fox", "kind": "voice", "model": "sandbox-voice"},
        {"prompt": "a fox", "kind": "music", "model": "sandbox-music", "options": {"duration": 1}},
        {"prompt": "a fox", "kind": "infographic", "model": "sandbox-infographic"},
        {"prompt": "a fox", "kind": "text", "model": "sandbox-text"},
    )

    @pytest.fixture
    def account(self, server):
        """By login: the contract then runs through tokens as well."""
        return genstep.Account(
            provider="imaginelab",
            username=f"fake{next(NUMBERS)}@customer.example",
            password="fakepassword123",
            base_url=server.base("imaginelab"),
        )


class TestImagineLabByKey(OnServer):
    provider = ImagineLab
    requests = (TestImagineLab.requests[0],)

    @pytest.fixture
    def account(self, server):
        key = f"ilab_key_fakefake{next(NUMBERS):04}"
        return genstep.Account(provider="imaginelab", api_key=key, base_url=server.base("imaginelab"))


class TestAIVisualStudio(OnServer):
    provider = AIVisualStudio
    requests = (
        {"prompt": "a fox", "output_format": "jpeg"},
        {"prompt": "a fox", "kind": "video", "duration": 1, "image": "https://pictures.example/first.png"},
    )


class TestImageAPI(OnServer):
    provider = ImageAPI
    requests = ({"prompt": "a fox", "width": 256, "height": 256, "n": 2}, {"prompt": "a logo", "variant": "logo"})


class TestSandbox(ProviderContract):
    """The built-in sandbox: no key, no network."""

    account = genstep.Account(provider="sandbox")
    provider = Sandbox
    requests = tuple(
        {"prompt": "a fox", "kind": kind, **more, "options": {"seconds": 0}}
        for kind, more in {
            "image": {"width": 64, "height": 64},
            "infographic": {"width": 256, "height": 256},
            "video": {"width": 64, "height": 64, "duration": 0.5},
            "voice": {},
            "music": {"duration": 0.5},
            "model3d": {},
            "text": {},
        }.items()
    )
