"""What was found in the words: phrases are marked whole, and said, denied or open in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from model_service.model.concepts import concepts_text, matcher
from model_service.model.scorer import ConceptTable
from tests.browser.desk import Desk
from tests.builders import make_champion, make_scorer, release_files


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose release knows the shipped list of concepts."""
    folder = tmp_path_factory.mktemp("home")
    columns = matcher(concepts_text()).columns
    weights = np.array([[1.0, 0.5] if kind == "said" else [-0.2, -0.4] for _, kind in columns])
    table = ConceptTable("narrative", concepts_text(), weights)
    make_champion(folder, release_files(replace(make_scorer(), concepts=table)))
    return folder


def test_a_phrase_is_marked_whole_and_a_denial_is_told(desk: Desk) -> None:
    desk.assess("brother wants to die, no gun")
    marked = desk.page.locator("#evidence mark").all_inner_texts()
    assert "wants to die" in marked
    meanings = desk.page.locator("#meanings")
    expect(meanings).to_be_visible()
    told = meanings.locator("li").all_inner_texts()
    assert "wants to die" in told
    assert "gun – denied" in told
    assert "gun" not in told


def test_where_nothing_was_found_there_is_no_list(desk: Desk) -> None:
    desk.assess("qwfpgj")
    expect(desk.page.locator("#meanings")).to_be_hidden()
