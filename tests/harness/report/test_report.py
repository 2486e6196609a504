"""report.html: what it says, that it is self-contained, and how it looks in a real browser."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.analysis import comparison, published, results
from harness.analysis.diff import accepted
from harness.analysis.diff.accepted import Accepted, Change
from harness.commands.results import table
from harness.experiment import profile
from harness.implementations import registry
from harness.report import page as report
from harness.runs import folder as runs
from harness.runs.manifest import Status
from tests.helpers import browser, made

HOSTILE = '<script>alert("x")</script> <img src=https://example.org/x onerror=alert(1)> & {{ 7*7 }}'
NAMES = (
    "same images", "same labelled images", "same initial weights", "same hyper-parameters",
    "same network", "same step", "same augmentation", "same judge",
)  # fmt: skip
QUICK = profile.load("quick")


def rung(number: int, name: str) -> dict[str, object]:
    holds = number != 6
    return {
        "number": number, "name": name, "holds": holds, "measured": f"measured {number}",
        "tolerance": "exact", "first_difference": "" if holds else f"conv1 {HOSTILE}",
    }  # fmt: skip


LADDER = {
    "schema": 1, "profile": "quick", "holds": False,
    "rungs": [rung(number, name) for number, name in enumerate(NAMES, 1)],
}  # fmt: skip
CHANGE = Change(
    labels=40, implementation="own", rule="last", old=80.0, new=71.6, reason=f"meant {HOSTILE}",
    base="b" * 40, commit="c" * 40, date="2026-01-02",
)  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of three label counts with a failed run of a hostile name, ladder and change."""
    folder = made.results(tmp_path_factory.mktemp("report") / "quick", (40, 250, 4000), (0, 1))
    made.run(folder, "own", 40, 2)
    made.run(folder, "torchssl", 40, 2, status=Status.FAILED, reason=HOSTILE, judged=False)
    (folder / "parity.json").write_text(json.dumps(LADDER))
    accepted.write(folder, Accepted(changes=(CHANGE,)))
    table.write(folder, QUICK)
    return folder / "report.html"


class Elements(HTMLParser):
    """Tags with their attributes, in order, and whether what was opened was closed."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_order_of_the_page(page: Path) -> None:
    text = page.read_text()
    words = (
        "FixMatch (own) against FixMatch (TorchSSL): ", 'class="verdict"',
        "Top-1 accuracy on the test set", "Accuracy over epochs", "What makes the two comparable",
        "Settings side by side", "Every run and where it comes from", "How to reproduce",
    )  # fmt: skip
    order = [text.index(word) for word in words]
    assert order == sorted(order)


def test_it_is_whole_and_asks_for_nothing(page: Path) -> None:
    elements = Elements(page.read_text())
    assert elements.open == []
    assert not {"script", "iframe", "object", "embed", "form", "base"} & {
        t for t, _ in elements.tags
    }
    for tag, attributes in elements.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, value)
    assert "url(" not in page.read_text() and "@import" not in page.read_text()


def test_no_text_of_a_run_becomes_markup(page: Path) -> None:
    text = page.read_text()
    assert text.count("&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;") == 3
    assert "<script" not in text and "{{ 7*7 }}" in text
    assert len([1 for tag, _ in Elements(text).tags if tag == "img"]) == 4


def test_every_figure_has_words_for_it(page: Path) -> None:
    images = [attributes for tag, attributes in Elements(page.read_text()).tags if tag == "img"]
    assert all(len(image["alt"] or "") > 40 for image in images)


def test_every_rung_is_listed_and_the_failed_one_shows_what_differs(page: Path) -> None:
    text = page.read_text()
    for number, name in enumerate(NAMES, 1):
        mark = "✗" if number == 6 else "✓"
        assert f"<b>{mark} {name}</b>: measured {number}" in text
    assert "first difference: conv1 &lt;script" in text
    assert "The ladder does not hold" in text


def test_every_run_has_its_provenance(page: Path) -> None:
    text = page.read_text()
    for key in itertools.product((40, 250, 4000), (0, 1), made.IMPLEMENTATIONS):
        assert f"<code>{runs.folder_name(*key)}</code>" in text
    for words in ("cuda-on-cpu", "2.14.1", "1" * 40, "2" * 40, "da7a" * 16, "2026-01-01T00:00:00"):
        assert words in text
    assert "1 of 14 runs gave no accuracy: 40 labels, seed 2, torchssl: failed." in text


def test_accepted_changes_are_listed(page: Path) -> None:
    assert "own, 40 labels: 80.00 → 71.60 (last): meant &lt;script" in page.read_text()


def test_best_is_only_shown_in_its_own_table_and_marked(page: Path) -> None:
    text = page.read_text()
    assert "best evaluation, chosen on the test set from 12 evaluations a run" in text
    assert "A maximum over looks at the test set is no estimate of the accuracy" in text


def shown(folder: Path) -> str:
    found = comparison.build(
        results.load_all(folder), QUICK, {"own": registry.contender("own")}, {}, published.load()
    )
    return report.render(found, [], [], None, Accepted())


def test_a_ladder_never_climbed_is_said(tmp_path: Path) -> None:
    made.run(tmp_path, "own", 40, 0)
    text = shown(tmp_path)
    assert "Ladder: not climbed" in text and "make parity PROFILE=quick" in text
    assert "The ladder does not hold" not in text


def test_a_setting_that_differs_is_marked(tmp_path: Path) -> None:
    made.results(tmp_path)
    path = tmp_path / "runs/40-seed0-own/manifest.json"
    content = json.loads(path.read_text())
    content["settings"]["lr"] = 0.3
    path.write_text(json.dumps(content))
    rows = {
        row.name: (row.values, row.equal) for row in report.settings(results.load_all(tmp_path))
    }
    assert rows["lr"] == ({"own": "0.3", "torchssl": "0.03"}, False)
    mu = str(QUICK.mu)
    assert rows["mu"] == ({"own": mu, "torchssl": mu}, True)
    assert re.search(r'class="fails"><th scope="row">lr</th>', shown(tmp_path))


def test_how_to_reproduce_names_what_was_run(tmp_path: Path) -> None:
    made.results(tmp_path, (40, 250), (0, 1))
    text = shown(tmp_path)
    assert f"git checkout {'1' * 40}\n" in text
    assert (
        "make compare PROFILE=quick LABELS=&#34;40 250&#34; SEEDS=&#34;0 1&#34; "
        "IMPLEMENTATIONS=&#34;own torchssl&#34;\n"
    ) in text
    assert "make verify PROFILE=quick" in text


def test_how_to_reproduce_other_data_and_lengths(tmp_path: Path) -> None:
    path = made.run(tmp_path, "own", 40, 0, data="data-0123456789ab") / "manifest.json"
    content = json.loads(path.read_text())
    content["settings"]["iterations"] = 20
    path.write_text(json.dumps(content))
    text = shown(tmp_path)
    assert (
        "ITERATIONS=20" in text and "DATA_DIR=&#34;&lt;folder of data-0123456789ab&gt;&#34;" in text
    )


def test_nothing_yet(tmp_path: Path) -> None:
    assert "Nothing to compare" in shown(tmp_path)


@pytest.fixture(scope="module")
def tab() -> Iterator[browser.Page]:
    binary = browser.find()
    if binary is None:
        pytest.skip("no Chromium here")
    with browser.chromium(binary) as opened:
        yield opened


OVERFLOW = """
document.querySelectorAll("details").forEach(d => d.open = true);
[...document.querySelectorAll("body *")]
  .filter(e => !e.parentElement.closest(".scroll") && e.getClientRects().length)
  .filter(e => (box => box.right > innerWidth + 0.5 || box.left < 0)(e.getBoundingClientRect()))
  .map(e => e.outerHTML.slice(0, 120))
  .concat(document.documentElement.scrollWidth > innerWidth ? ["the page itself"] : [])
"""
# WCAG 2's contrast of every text with what lies behind it.
FAINT = """
(() => {
  const rgb = text => text.match(/[0-9.]+/g).map(Number);
  const lum = c => c.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => { for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; }
    return [255, 255, 255]; };
  return [...document.querySelectorAll("body *")]
    .filter(e => e.getClientRects().length)
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .map(e => { const [a, b] = [lum(rgb(getComputedStyle(e).color)), lum(behind(e))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.outerHTML.slice(0, 100)]; })
    .filter(([contrast]) => contrast < 4.5);
})()
"""


@pytest.mark.chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser(page: Path, tab: browser.Page, width: int, scheme: str) -> None:
    tab.open(page, width, scheme)
    assert tab.evaluate("innerWidth") == width
    assert tab.evaluate(OVERFLOW) == []
    assert tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 100)")
    assert tab.evaluate(FAINT) == []
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    assert [url for url in tab.requests if not url.startswith("data:")] == [page.resolve().as_uri()]
    assert tab.complaints == []


@pytest.mark.chromium
def test_the_browser_would_complain(tab: browser.Page, tmp_path: Path) -> None:
    """That nothing is found on the page is worth something only if something could be."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        '<meta name=viewport content="width=device-width"><p style="color:#aaa;width:2000px">x'
        '<img src="nothing.png"><script>console.error("oh")</script>'
    )
    tab.open(bad, 1280, "light")
    assert len(tab.evaluate(OVERFLOW)) >= 2
    assert len(tab.evaluate(FAINT)) >= 1
    assert any(url.endswith("nothing.png") for url in tab.requests)
    assert tab.complaints
