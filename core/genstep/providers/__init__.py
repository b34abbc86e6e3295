"""The providers that come with genstep: plug-ins like anyone's, one file a service, loaded when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genstep.plugins import hookimpl

if TYPE_CHECKING:
    from genstep.plugins import Register


@hookimpl
def genstep_providers(register: Register) -> None:
    register("genstep.providers.conceptviz:ConceptViz", slug="conceptviz")
    register("genstep.providers.nanobanana:NanoBanana", slug="nanobanana")
    register("genstep.providers.imaginelab:ImagineLab", slug="imaginelab")
    register("genstep.providers.aivisualstudio:AIVisualStudio", slug="aivisualstudio")
    register("genstep.providers.imageapi:ImageAPI", slug="imageapi")
    register("genstep.sandbox.provider:Sandbox", slug="sandbox")
