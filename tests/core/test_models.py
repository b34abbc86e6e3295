"""Requests as people type them: one sentence for what is wrong, and one meaning for what is equal."""

import json
import math

import pytest

import genstep
from genstep.errors import from_dict


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"colour": "red"}, "colour", "no such field; a request takes prompt, kind"),
        ({"n": 0}, "n", "a whole number from 1 to 10000, not 0"),
        ({"n": 1.5}, "n", "a whole number"),
        ({"n": True}, "n", "a whole number"),
        ({"n": "2"}, "n", "a whole number"),
        ({"width": -1}, "width", "a whole number of pixels"),
        ({"duration": 0}, "duration", "a number above 0"),
        ({"duration": math.nan}, "duration", ""),
        ({"duration": math.inf}, "duration", ""),
        ({"prompt": 7}, "prompt", "takes text, not 7"),
        ({"prompt": "half \ud800"}, "prompt", "half a character"),
        ({"options": ["a"]}, "options", "a table"),
        ({"image": 3}, "image", "a URL, a path, a data URL or bytes"),
    ],
)
def test_a_wrong_field_is_named_in_one_sentence(fields, field, says):
    with pytest.raises(genstep.InvalidRequest) as refused:
        genstep.GenerationRequest(**{"prompt": "a fox", **fields})
    assert refused.value.field == field
    assert str(refused.value).startswith(f"{field}: ")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_words_that_mean_the_same():
    assert genstep.GenerationRequest("a", output_format="jpg").output_format == "jpeg"
    assert genstep.GenerationRequest("", kind="3d").kind == "model3d"


def test_copies_count_their_seeds_up_so_that_each_can_be_made_again():
    assert [item.seed for item in genstep.GenerationRequest("a", n=3, seed=7).items()] == [7, 8, 9]
    assert [item.seed for item in genstep.GenerationRequest("a", n=2).items()] == [None, None]


def test_what_is_kept_of_a_request_holds_no_input_and_no_query():
    kept = genstep.GenerationRequest("a", image="https://x.example/i.png?token=fake#f").to_dict()
    assert kept["image"] == "https://x.example/i.png"
    image = genstep.InputImage(data=b"bytes", sha256="ab" * 32)
    assert genstep.GenerationRequest("a", image=image).to_dict()["image"] == "sha256:" + "ab" * 32
    assert "bytes" not in repr(genstep.GenerationRequest("a", image=image))


@pytest.mark.parametrize(
    "error",
    [
        genstep.InvalidRequest("m", field="n", provider="toy"),
        genstep.InsufficientCredits("m", required=5, available=2, status=402, code="X"),
        genstep.RateLimited("m", retry_after=3.5, quota=True),
        genstep.GenerationFailed("m", refunded=True, charged=False),
        genstep.SubmissionUncertain("m", candidates=("a", "b"), job_id="j"),
        genstep.BatchTooLarge("m", limit=2),
        genstep.WaitTimeout("m", job_id="j"),
    ],
)
def test_errors_survive_being_written_down_and_being_pickled(error):
    import pickle

    for again in (from_dict(json.loads(json.dumps(error.to_dict()))), pickle.loads(pickle.dumps(error))):
        assert type(again) is type(error)
        assert vars(again) == vars(error)
        assert str(again) == "m"


def test_every_error_is_a_genstep_error_and_stands_in_the_tree_at_the_top_of_its_module():
    from genstep import errors

    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, genstep.GenstepError)
            assert name in errors.__doc__


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "provider"),
        ({"provider": "Bad Slug"}, "slug"),
        ({"provider": "toy", "api_key": ""}, "api_key"),
        ({"provider": "toy", "api_key": "Bearer fake_key"}, "without 'Bearer'"),
        ({"provider": "toy", "api_key": "fake_key\n"}, "paste it again"),
        ({"provider": "toy", "api_key": "fäke"}, "only the key itself"),
        ({"provider": "toy", "base_url": "ftp://x"}, "https://host/path"),
        ({"provider": "toy", "base_url": "x.example"}, "https://host/path"),
        ({"provider": "toy", "base_url": "https://u:p@x.example"}, "without user"),
        ({"provider": "toy", "base_url": "http://x.example"}, "plain http"),
        ({"provider": "toy", "base_url": "https://x.example:99999"}, "https://host/path"),
        ({"provider": "toy", "webhook_url": "http://127.0.0.1:1/x"}, "plain http only where base_url"),
        ({"provider": "toy", "daily_credits": -1}, "daily_credits"),
        ({"provider": "toy", "apikey": "fake_key_secret"}, "no such setting"),
    ],
)
def test_a_malformed_account_is_refused_without_showing_a_secret(settings, says):
    with pytest.raises(genstep.ConfigurationError) as refused:
        genstep.Account(**settings)
    assert says in str(refused.value)
    assert "fake_key" not in str(refused.value)


@pytest.mark.parametrize(
    ("provider", "settings", "says"),
    [
        ("conceptviz", {}, "GENSTEP_CONCEPTVIZ_API_KEY"),
        ("conceptviz", {"api_key": "avs_live_fake"}, "starts with cvk_"),
        ("conceptviz", {"api_key": "cvk_"}, "starts with cvk_"),
        ("nanobanana", {"api_key": "fake"}, "GENSTEP_NANOBANANA_BASE_URL"),
        ("imaginelab", {"username": "a@b.example"}, "GENSTEP_IMAGINELAB_PASSWORD"),
        ("aivisualstudio", {"api_key": "cvk_fake"}, "starts with avs_live_"),
        ("imageapi", {"api_key": "fake"}, "starts with sk_"),
        ("imageapi", {"api_key": "sk_fake", "options": {"colour": 1}}, "options.colour: no such option"),
        ("imageapi", {"api_key": "sk_fake", "options": {"poll_interval": 0}}, "options.poll_interval"),
        ("nothing", {}, "is not installed; there are:"),
    ],
)
def test_an_account_that_its_service_cannot_use_is_refused_before_anything_is_sent(tmp_path, provider, settings, says):
    with pytest.raises(genstep.ConfigurationError) as refused:
        genstep.Client(genstep.Account(provider=provider, **settings), ledger=tmp_path / "l.db")
    assert says in str(refused.value)


def test_a_ledger_at_a_url_that_is_none_of_ours_is_refused_without_its_password(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(genstep.ConfigurationError, match="is no ledger's URL") as refused:
        genstep.Client(genstep.Account(provider="sandbox"), ledger="mysql://me:fake_pw@db.example/ledger")
    assert "fake_pw" not in str(refused.value)
    assert not list(tmp_path.iterdir())
