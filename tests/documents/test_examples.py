"""The table of examples is whole: every JSON object of the documents is listed, and the documents are untouched."""

import hashlib
import re

import pytest
from tests.documents import json_blocks, spans
from tests.documents.examples import Example, example, load_examples, not_examples
from tests.documents.samples.assemble import load_samples
from tests.documents.shapes import pick
from tests.documents.spans import SLUGS, Span

# Line numbers are only worth something while the texts stay as they were taken over.
SHA256 = {
    "conceptviz": "5ecf2405559f636274fe43509d96601029cf6c58392f6a71958fe305401312cf",
    "nanobanana": "75e3b39cefa5f00efa6793c9ee802d298597eff66ec972d7c36d2e0f9d0e9b6b",
    "imaginelab": "14614db4bed764e3bca4357e05d049f0d323760fa6b96a0227ee1f4d79f1e30b",
    "aivisualstudio": "e531b58678cc13cd57644f026649e166cac375eb665c5308033761d8db724a18",
    "imageapi": "d28f857bd921c964137dc99091e7943f0c7d07e66c49f5bd91540c6f5f89b36e",
}


def listed(slug: str) -> list[Span]:
    return [each.span for each in load_examples(slug=slug)] + [span for span in not_examples() if span.slug == slug]


@pytest.mark.parametrize("slug", SLUGS)
def test_the_document_is_as_it_was_scraped(slug: str) -> None:
    assert hashlib.sha256((spans.TEXTS / f"{slug}.txt").read_bytes()).hexdigest() == SHA256[slug]


@pytest.mark.parametrize("slug", SLUGS)
def test_every_json_object_of_the_document_is_listed_and_nothing_else(slug: str) -> None:
    found = {spans.document(slug)[start:end] for start, end in json_blocks.find(slug)}
    assert {span.text for span in listed(slug)} == found
    assert {(span.start, span.end) for span in listed(slug)} == set(json_blocks.find(slug))


@pytest.mark.parametrize("slug", SLUGS)
def test_no_line_with_a_quoted_key_is_left_over(slug: str) -> None:
    """A second net, which does not depend on balanced braces: such a line is in an example or in a code sample."""
    known = listed(slug) + [part.span for sample in load_samples(slug) for part in sample.parts]
    covered = {number for span in known for number in range(span.first, span.last + 1)}
    quoted_key = re.compile(r'^\s*\{?\s*"\w[\w-]*"\s*:')
    keys = {number for number, line in enumerate(spans.lines(slug), 1) if quoted_key.match(line)}
    assert keys
    assert keys <= covered


@pytest.mark.parametrize("each", load_examples(), ids=str)
def test_an_example_is_whole(each: Example) -> None:
    assert isinstance(each.json, dict)
    assert each.text.startswith("{")
    assert each.text.endswith("}")
    for place in each.fixed:
        pick(each.json, place)


def test_comments_and_trailing_commas_are_the_only_changes() -> None:
    commented = example("imaginelab", "create-request")
    assert "// from /generations/models" in commented.text
    assert commented.json["settings"] == {"aspect_ratio": "16:9"}
    assert commented.json["project_id"] is None
    trailing = example("conceptviz", "generate-python")
    assert trailing.json == {"prompt": "photosynthesis process diagram", "quality": "2k"}
    altered = {str(each) for each in load_examples() if json_blocks.normalised(each.text) != each.text}
    assert altered == {
        str(commented),
        str(trailing),
        str(example("imaginelab", "create-python")),
    }
    for each in load_examples():
        assert len(json_blocks.normalised(each.text)) == len(each.text)
