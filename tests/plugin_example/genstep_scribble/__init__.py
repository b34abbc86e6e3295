"""Scribble: writes a prompt backwards. A service with an SDK of its own, so its verb is a coroutine."""

import genstep


async def sdk(words: str) -> str:
    """Stands for the service's own client library, with its retries off."""
    return words[::-1]


class Scribble(genstep.Provider):
    slug = "scribble"
    title = "Scribble"
    auth = "none"
    capabilities = genstep.Capabilities(kinds={"text"}, blocking=True)

    def price(self, request: genstep.GenerationRequest) -> float:
        return 1.0 * request.n

    async def submit(self, request: genstep.GenerationRequest) -> genstep.Completed:
        return genstep.Completed((genstep.Output(text=await sdk(request.prompt)),), credits=1.0)


class Impostor(Scribble):
    """A plug-in cannot take over a slug that genstep brings itself."""

    slug = "conceptviz"


@genstep.hookimpl
def genstep_providers(register) -> None:
    register(Scribble)
    register(Impostor)
