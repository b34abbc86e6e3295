"""The index in this folder's README names real tests, and leaves out none of a provider."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from genstep.testing import ProviderContract

HERE = Path(__file__).parent
NAMED = sorted(set(re.findall(r"`((?:test_\w+\.py|contract)::\w+)`", (HERE / "README.md").read_text("utf-8"))))
#: about the contract itself, and about this index
OTHERS = {"test_contract_itself.py", "test_third_parties.py", "test_index.py"}


def named_in(file: Path) -> set[str]:
    return {
        f"{file.name}::{node.name}"
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


THERE = {name for file in HERE.glob("test_*.py") for name in named_in(file)}
THERE |= {f"contract::{name}" for name in dir(ProviderContract) if name.startswith("test_")}


@pytest.mark.parametrize("name", NAMED)
def test_a_name_in_the_index_is_a_test(name):
    assert name in THERE


def test_every_test_of_a_provider_is_in_the_index():
    ours = {name for name in THERE if not name.startswith("contract::") and name.partition("::")[0] not in OTHERS}
    assert ours - set(NAMED) == set()
