"""How providers are found: the hook, and the registry that pluggy fills from the entry-point group ``genstep``."""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol

import pluggy

from genstep.errors import ConfigurationError

if TYPE_CHECKING:
    from genstep.provider import Provider

log = logging.getLogger("genstep")
hookspec = pluggy.HookspecMarker("genstep")
hookimpl = pluggy.HookimplMarker("genstep")


class Register(Protocol):
    """What a plug-in is handed: call it with a :class:`Provider`, or "module:Class" and a ``slug`` to load late."""

    def __call__(self, provider: type[Provider] | str, *, slug: str | None = None) -> None: ...


class Hooks:
    """The hooks that a plug-in may implement."""

    @hookspec
    def genstep_providers(self, register: Register) -> None:
        """Register the providers that this plug-in brings."""


class _Registry:
    """Slug to provider class, or to where it is; the first to register a slug keeps it, so ours stay ours."""

    def __init__(self) -> None:
        self.found: dict[str, type[Provider] | str] = {}

    def __call__(self, provider: type[Provider] | str, *, slug: str | None = None) -> None:
        name = slug or getattr(provider, "slug", None)
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"plug-in: {provider!r} names no slug; set the class attribute slug")
        self.found.setdefault(name, provider)

    def load(self, slug: str) -> type[Provider]:
        found = self.found[slug]
        if isinstance(found, str):
            module, _, name = found.partition(":")
            loaded: type[Provider] = getattr(import_module(module), name)
            self.found[slug] = found = loaded
        return found


@cache
def registry() -> _Registry:
    """All providers of this environment: ours first, then those of installed plug-ins."""
    from genstep import providers

    hooks = pluggy.PluginManager("genstep")
    hooks.add_hookspecs(Hooks)
    registry = _Registry()
    hooks.register(providers, "builtin")
    for point in entry_points(group="genstep"):
        if point.name == "builtin":
            continue
        try:
            hooks.register(point.load(), point.name)
        except Exception as error:  # noqa: BLE001  (a broken plug-in must not break every command)
            log.warning(
                "the plug-in %s (%s) cannot be loaded: %s: %s", point.name, point.value, type(error).__name__, error
            )
    # pluggy calls the last registered first; ours come first here, so that a slug of ours stays ours
    plugins = sorted(hooks.get_plugins(), key=lambda plugin: plugin is not providers)
    for plugin in plugins:
        implementation = getattr(plugin, "genstep_providers", None)
        if implementation is not None:
            implementation(register=registry)
    return registry


def slugs() -> list[str]:
    """The slugs of all providers."""
    return sorted(registry().found)


def load(slug: str) -> type[Provider]:
    """The provider class of a slug, or :class:`ConfigurationError` with the slugs that there are."""
    try:
        return registry().load(slug)
    except KeyError:
        raise ConfigurationError(f"provider {slug!r} is not installed; there are: {', '.join(slugs())}") from None
