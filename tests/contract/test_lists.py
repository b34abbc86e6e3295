"""Lists behind one iterator (each service's own paging, over more than two pages), lists of models, and deleting."""

from __future__ import annotations

import json

import pytest

import genstep
from genstep.provider import Reply

LAB = {"generation_type": "text", "model_name": "sandbox-text"}


def test_projects_come_page_by_page_in_the_order_and_of_the_type_asked_for(customer):
    buyer = customer("nanobanana", options={"plan": "enterprise"})
    buyer.set(plan="enterprise")
    for number in range(7):
        buyer.raw("POST", "/images", {"prompt": f"fox {number}"})
    made = buyer.generate("a film", kind="video", duration=1, resolution="360p")
    items = buyer.history(limit=3)
    assert [sent.params for sent in buyer.asked("/projects")] == [
        {"type": "all", "limit": "3", "sort": "createdAt", "order": "desc", "page": str(page)} for page in (1, 2, 3)
    ]
    assert [item.prompt for item in items] == ["a film", *(f"fox {number}" for number in range(6, -1, -1))]
    assert [item.prompt for item in buyer.history(kind="image", order="asc", limit=5)] == [f"fox {n}" for n in range(7)]
    film = items[0]
    assert (film.id, film.kind, film.status) == (made.job_ids[0], "video", "completed")
    assert film.urls[0].startswith(buyer.server.url)
    assert abs(film.created_at - made.created_at) < 3600
    assert film.metadata["dimensions"] == f"{made.assets[0].width}x{made.assets[0].height}"
    assert film.metadata["thumbnail"].startswith(buyer.server.url)


def test_the_project_list_asks_for_what_the_document_says_by_default(customer):
    buyer = customer("nanobanana")
    assert buyer.history() == []
    [sent] = buyer.asked("/projects")
    assert sent.params == {"type": "all", "page": "1", "limit": "20", "sort": "createdAt", "order": "desc"}


def test_the_studios_list_is_read_by_offset(customer):
    buyer = customer("aivisualstudio")
    for number in range(7):
        buyer.raw("POST", "/generate/image", {"prompt": f"fox {number}"})
    buyer.raw("POST", "/generate/video", {"prompt": "a film"})
    buyer.server.control.release()
    items = buyer.history(limit=3)
    assert [sent.params["offset"] for sent in buyer.asked("/generations")] == ["0", "3", "6"]
    assert [item.prompt for item in items] == ["a film", *(f"fox {number}" for number in range(6, -1, -1))]
    buyer.set(order="oldest")
    assert [item.prompt for item in buyer.history(kind="image", limit=2)] == [f"fox {number}" for number in range(7)]
    assert {sent.params["type"] for sent in buyer.asked("/generations")[3:]} == {"image"}


@pytest.mark.parametrize(("status", "count"), [("completed", 2), ("failed", 1), ("processing", 1)])
def test_the_studios_list_is_filtered_by_status(customer, status, count):
    buyer = customer("aivisualstudio")
    buyer.generate("a fox", n=2)
    buyer.fault("fail")
    with pytest.raises(genstep.GenerationFailed):
        buyer.generate("a bear")
    buyer.fault("stuck")
    buyer.ask("submit", "a wolf")
    items = buyer.history(status=status)
    assert [item.status for item in items] == [status] * count
    assert all(bool(item.urls) == (status == "completed") for item in items)


@pytest.mark.parametrize(
    ("slug", "filters", "name"),
    [
        ("nanobanana", {"limit": 101}, "limit"),
        ("nanobanana", {"order": "newest"}, "order"),
        ("nanobanana", {"color": "red"}, "color"),
        ("aivisualstudio", {"limit": 0}, "limit"),
        ("aivisualstudio", {"kind": "music"}, "kind"),
        ("aivisualstudio", {"page": 2}, "page"),
        ("imaginelab", {"page": 2}, "page"),
    ],
)
def test_a_filter_that_a_list_does_not_have_is_refused(customer, slug, filters, name):
    buyer = customer(slug)
    with pytest.raises(genstep.InvalidRequest) as refusal:
        buyer.history(**filters)
    assert (refusal.value.field, buyer.network.sent) == (name, [])


@pytest.mark.parametrize("envelope", [None, "items", "data", "generations"])
def test_the_labs_list_is_read_bare_or_under_its_usual_names(customer, envelope):
    buyer = customer("imaginelab")
    buyer.set(envelope=envelope)
    for number in range(3):
        buyer.raw("POST", "/generations", {**LAB, "prompt": f"fox {number}"})
    items = buyer.history()
    assert [item.prompt for item in items] == ["fox 2", "fox 1", "fox 0"]
    assert [sent.params for sent in buyer.asked("/generations")] == [{}], (
        "no parameter is guessed, no page asked for twice"
    )
    assert (items[0].kind, items[0].metadata["credit_cost"]) == ("text", 2)


def test_the_labs_list_goes_on_where_its_reply_links_to_more(customer):
    """The document shows no parameter; a ``next`` link in a reply is its own word for the way on."""
    buyer = customer("imaginelab")
    buyer.set(envelope="items", page_size=3, page_parameter="page")
    for number in range(8):
        buyer.raw("POST", "/generations", {**LAB, "prompt": f"fox {number}"})

    def linked(page):
        def step(reply):
            more = {"next": f"{buyer.server.base('imaginelab')}/api/v1/generations?page={page + 1}"}
            return Reply(200, {}, json.dumps({**reply.json, **more}).encode())

        return step

    buyer.network.free_steps = [linked(page) for page in (1, 2, 3)]
    assert [item.prompt for item in buyer.history()] == [f"fox {number}" for number in range(7, -1, -1)]
    assert [sent.params.get("page") for sent in buyer.asked("/generations")] == [None, "2", "3", "4"]


def test_the_labs_list_is_filtered_here(customer):
    buyer = customer("imaginelab")
    for kind in ("text", "voice", "text"):
        buyer.raw("POST", "/generations", {"generation_type": kind, "model_name": f"sandbox-{kind}", "prompt": "a fox"})
    assert [item.kind for item in buyer.history(kind="text")] == ["text", "text"]
    assert buyer.asked("/generations")[0].params == {}


@pytest.mark.parametrize(
    ("slug", "kind", "ids"),
    [
        ("imaginelab", "image", {"seedream-5.0-lite"}),
        ("aivisualstudio", "image", {"prunaai/z-image-turbo"}),
        ("aivisualstudio", "video", {"minimax/hailuo-2.3-fast"}),
        (
            "imageapi",
            "image",
            {
                "flux-schnell",
                "flux-2-klein-9b",
                "flux-2-klein-4b",
                "flux-2-dev",
                "lucid-origin",
                "phoenix-1",
                "stable-diffusion",
                "sdxl-lightning",
                "dreamshaper-8-lcm",
            },
        ),
    ],
)
def test_the_models_of_a_kind(customer, slug, kind, ids):
    buyer = customer(slug)
    models = buyer.ask("models", kind)
    assert {model.id for model in models} == ids
    assert set(models) <= set(buyer.ask("models"))


def test_a_model_says_its_price_name_and_what_it_is_for(customer):
    [model] = customer("aivisualstudio").ask("models", "video")
    assert (model.name, model.kind, model.price) == ("Hailuo 2.3 Fast", "video", 450)
    assert model.description
    flux = customer("imageapi").ask("models")[0]
    assert (flux.id, flux.name, flux.description) == (
        "flux-schnell",
        "FLUX.1 Schnell",
        "12B params, fast. Good default.",
    )


@pytest.mark.parametrize("verb", ["models", "health"])
def test_a_public_route_is_asked_without_the_key(customer, verb):
    buyer = customer("imageapi")
    buyer.ask(verb)
    [sent] = buyer.network.sent
    assert "Authorization" not in sent.headers


def test_a_record_is_deleted_here_and_at_the_service(customer):
    buyer = customer("imaginelab")
    made = buyer.generate("a fox", kind="text", model="sandbox-text")
    path = made.assets[0].path
    buyer.ask("delete", made.id, remote=True)
    assert not path.exists()
    assert buyer.raw("GET", f"/generations/{made.job_ids[0]}").status == 404
    assert buyer.ask("show", made.id).request.prompt == ""
    assert buyer.spent == 2, "deleting gives nothing back"


def test_a_job_that_runs_is_not_deleted_and_delete_is_no_cancel(customer):
    buyer = customer("imaginelab")
    buyer.fault("hold")
    job = buyer.ask("submit", "a fox", kind="text", model="sandbox-text")
    with pytest.raises(genstep.InvalidRequest, match="still processing"):
        buyer.ask("delete", job.id, remote=True)
    assert "has no cancel" in buyer.ask("cancel", job.id).message
    assert not any(sent.method == "DELETE" for sent in buyer.network.sent)
    buyer.server.control.release(job.provider_job_ids[0])
    assert buyer.ask("wait", job.id).status == "completed"


@pytest.mark.parametrize("slug", ["conceptviz", "nanobanana", "aivisualstudio", "imageapi"])
def test_a_service_without_delete_says_so(customer, slug):
    buyer = customer(slug)
    made = buyer.generate("a fox")
    with pytest.raises(genstep.InvalidRequest, match=f"{slug} has no delete"):
        buyer.ask("delete", made.id, remote=True)
    assert made.assets[0].path.exists()
    buyer.ask("delete", made.id)
    assert not made.assets[0].path.exists()


@pytest.mark.parametrize(
    ("slug", "verb"), [("conceptviz", "models"), ("conceptviz", "health"), ("nanobanana", "models")]
)
def test_a_service_without_a_list_or_report_says_so(customer, slug, verb):
    buyer = customer(slug)
    with pytest.raises(genstep.InvalidRequest, match=f"{slug} has no {verb}"):
        buyer.ask(verb)
    assert buyer.network.sent == []
