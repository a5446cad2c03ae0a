"""The pages written by hand name what there is."""

from __future__ import annotations

import re

import pytest
import yaml
from collection import MODULES, ROOT, causes, load, names, tracked

from ansible_collections.oncall.runbooks.plugins.plugin_utils.lifecycle import OUTCOMES
from ansible_collections.oncall.runbooks.plugins.plugin_utils.table import CLAIM_KEYS, KEYS, expand

PAGES = [path for path in tracked() if path.suffix == ".md"]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        file, _, heading = target.partition("#")
        if ":" in file:
            continue
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.M)
            assert heading in {re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in headings}, target


def test_every_key_of_a_cause_is_explained():
    assert set(re.findall(r"^\| `(\w+)` \|", page("writing-a-runbook.md"), re.M)) == KEYS | CLAIM_KEYS


def test_the_example_of_ones_own_cause_is_accepted():
    example = re.search(r"^    db_pool_extra_causes:\n(?:    .*\n)+", page("writing-a-runbook.md"), re.M)
    assert example
    own = yaml.safe_load(example[0])["db_pool_extra_causes"]
    remedies = names("roles", "db_pool", "tasks", "remedies")
    written = load("roles", "db_pool", "vars", "main.yml")["db_pool_causes"]
    assert set(expand(written, remedies, extra=own)) == {*causes("db_pool"), *own}


def test_what_the_guide_shows_is_what_the_files_say():
    """An excerpt names its file in its first line; three dots stand for lines that are left out."""
    shown = re.findall(r"^```\w+\n# (\S+)\n(.*?)^```$", page("writing-a-runbook.md"), re.M | re.S)
    assert len(shown) > 10
    for name, excerpt in shown:
        text, at = (ROOT / name).read_text(), 0
        for part in re.split(r"^\.\.\.\n", excerpt, flags=re.M):
            assert f"\n{part}" in text[at:], f"{name} has no\n{part}"
            at = text.index(f"\n{part}", at) + len(part)


def test_every_outcome_and_guard_is_explained():
    text = page("architecture.md")
    assert [outcome for outcome in OUTCOMES if f"`{outcome}`" not in text] == []
    guards = re.search(r"## Guards\n(.*?)\n## ", text, re.S)
    assert guards
    told = load_return("ledger")["guard"]["description"]
    ledger_guards = set(re.findall(r"V\((\w+)\)", " ".join(told)))
    assert set(re.findall(r"^\| `(\w+)` \|", guards[1], re.M)) == ledger_guards | {"host", "plan", "risk"}


def load_return(module: str) -> dict:
    """What the documentation of a module says it returns."""
    text = (ROOT / "plugins" / "modules" / f"{module}.py").read_text()
    found = re.search(r'^RETURN = r"""\n(.*?)^"""', text, re.M | re.S)
    assert found
    return yaml.safe_load(found[1])


def test_only_modules_that_exist_are_told_of():
    rows = re.search(r"## Modules that change something\n(.*?)\n## ", page("architecture.md"), re.S)
    assert rows
    told = set(re.findall(r"^\| `(\w+)` \|", rows[1], re.M))
    observing = {module for module in MODULES if module.endswith("_info")} | {
        "observe",
        "observe_each",
        "triage",
        "diagnosis",
        "conclude",
        "wait",
        "begin_remedy",
    }
    assert told == set(MODULES) - observing


def test_every_default_of_the_guards_is_a_variable_of_run():
    named = set(re.findall(r"`(run_\w+)`", page("architecture.md")))
    defaults = load("roles", "run", "defaults", "main.yml")
    assert named - set(defaults) == {"run_state"}
