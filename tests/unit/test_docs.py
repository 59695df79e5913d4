"""The pages: links lead somewhere, decisions are complete, and all versions are one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from guestctl import __version__

PROJECT = Path(__file__).parent.parent.parent
RECORDS = sorted((PROJECT / "docs/adr").glob("[0-9]*.md"))
HEADINGS = ["Context", "Decision", "Rejected", "Consequences"]


def _is_ours(page: Path) -> bool:
    """Neither of the virtual environment nor of another folder that git does not know."""
    folder = page.relative_to(PROJECT).parts[0]
    return folder in {page.name, "docs", "tests", ".github"}


PAGES = sorted(filter(_is_ours, PROJECT.rglob("*.md")))


def _without_code(page: Path) -> str:
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """What follows # in links to a page's headings, as forges make it of them."""
    headings = re.findall(r"^#+ (.*)$", _without_code(page), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


def _leads_nowhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    if not target.exists():
        return True
    return bool(anchor) and anchor not in _anchors(target)


def _relative_links(page: Path) -> list[str]:
    links = re.findall(r"\]\(([^)\s]+)\)", _without_code(page))
    return [link for link in links if not re.match(r"[a-z]+:", link)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in _relative_links(page) if _leads_nowhere(page, link)] == []


def test_links_are_found_and_followed() -> None:
    index = PROJECT / "docs/README.md"
    assert "howto/report-a-bug.md" in _relative_links(index)
    assert _leads_nowhere(index, "howto/no-such-page.md")
    assert _leads_nowhere(index, "reference/failures.md#no-such-heading")
    assert not _leads_nowhere(index, "reference/failures.md#stale-saves")


def test_every_page_for_users_stands_in_the_index() -> None:
    parts = ("tutorial", "howto", "reference", "explanation", "dev")
    pages = {str(p.relative_to(PROJECT / "docs")) for p in PAGES if p.parent.name in parts}
    assert pages <= set(_relative_links(PROJECT / "docs/README.md"))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: str(record.stem))
def test_a_decision_has_its_four_parts(record: Path) -> None:
    title, *parts = re.split(r"^## (.*)$", record.read_text(), flags=re.MULTILINE)
    assert title.startswith(f"# {int(record.name[:4])}. ")
    assert parts[::2] == HEADINGS
    assert all(text.strip() for text in parts[1::2])


def test_decisions_are_numbered_without_a_gap_and_listed() -> None:
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))
    listed = _relative_links(PROJECT / "docs/adr/README.md")
    assert [link for link in listed if link[0].isdecimal()] == [r.name for r in RECORDS]


def test_paths_of_pages_in_code_exist() -> None:
    """Comments and docstrings name pages; these move now and then."""
    code = [*(PROJECT / "guestctl").rglob("*.py"), *(PROJECT / "tests").rglob("*.py")]
    named = {
        (source.name, path)
        for source in code
        for path in re.findall(r"docs/[\w./-]+\.md\b", source.read_text())
    }
    assert named
    assert {(name, path) for name, path in named if not (PROJECT / path).exists()} == set()


def test_what_pages_name_in_the_project_exists() -> None:
    """Such as the tests that hold an invariant; a star stands for any name."""
    named = {
        (page.name, path)
        for page in PAGES
        for path in re.findall(
            r"`((?:tests|guestctl|bench|docs|systemd|etc)/[^`\s]*)`", page.read_text()
        )
    }
    assert ("invariants.md", "tests/unit/test_plan.py") in named
    assert {(name, path) for name, path in named if not _is_there(path)} == set()


def _is_there(named: str) -> bool:
    """A path, or as pytest has it a test in a file."""
    path, _, test = named.partition("::")
    found = [*PROJECT.glob(path)]
    return bool(found) and all(f"def {test}(" in file.read_text() for file in found if test)


def test_tests_that_a_row_goes_on_to_name_exist() -> None:
    """`::test_name` is one of the file that was named before it in the same cell."""
    wrong = []
    for page in PAGES:
        for cell in re.split(r" \| |\n", page.read_text()):
            path = ""
            for word in re.findall(r"`((?:tests/[\w./-]+)?(?:::\w+)?)`", cell):
                path = word.partition("::")[0] or path
                if word.startswith("::") and not _is_there(path + word):
                    wrong.append((page.name, path + word))
    assert wrong == []


def test_news_project_and_program_have_one_version() -> None:
    """Above it in the news may be what is to come."""
    versions = re.findall(r"^## (\S+)$", (PROJECT / "NEWS.md").read_text(), re.MULTILINE)
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert __version__ in versions[:2]
