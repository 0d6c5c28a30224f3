"""The page of a report in a real browser: it plays, switches, sorts and filters, and asks for nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from browser.conftest import OpenPage, Watch, accessibility_problems
from listen_study import HOSTILE, SYSTEMS, write_listen_study

from clipsonic_eval.reporting.build import ReportOptions, build
from clipsonic_eval.reporting.html.settings import PageConfig

GAP_S = 0.03


def write_page(root: Path, **settings: Any) -> Path:
    """Write a study and its page."""
    run = write_listen_study(root, n=12, seconds=3.0)
    build([run], root / "report", options=ReportOptions(title="A study", page=PageConfig(show=0, **settings)))
    return root / "report" / "page.html"


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with the sounds inside."""
    return write_page(tmp_path_factory.mktemp("inside"))


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with the sounds in a folder beside it, at a place with a space and an umlaut in its name."""
    path = write_page(tmp_path_factory.mktemp("beside"), inline_mb=0, audio="opus")
    moved = path.parent.parent / "ein Ordner für Töne"
    shutil.move(path.parent, moved)
    return moved / path.name


@pytest.fixture(params=["inside", "beside"])
def address(request: pytest.FixtureRequest) -> str:
    """Of the page, once with the sounds inside and once beside."""
    path: Path = request.getfixturevalue(request.param)
    return path.as_uri()


def spy(page: Any) -> None:
    """Keep every audio element that the page makes, to ask it later."""
    page.add_init_script(
        "window.made = []; const A = Audio;"
        "window.Audio = function (...x) { const a = new A(...x); made.push(a); return a; };"
    )


def spied(open_page: OpenPage, address: str, **options: Any) -> Any:
    """Open a page whose audio elements can be asked."""
    page = open_page("about:blank", **options)
    spy(page)
    page.goto(address)
    page.locator("#listen").evaluate("section => section.scrollIntoView()")
    page.wait_for_selector(".takes button")
    return page


def heard(page: Any) -> list[dict[str, Any]]:
    """The sounds that are heard: position and address."""
    return list(
        page.evaluate(
            "made.filter(a => !a.paused && a.volume > 0.001).map(a => ({time: a.currentTime, length: a.duration}))"
        )
    )


def until(page: Any, condition: str) -> None:
    """Wait until a condition holds; the page's policy refuses playwright's own way of waiting, which needs `eval`."""
    for _ in range(400):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"never: {condition}")


def prompts(page: Any) -> list[str]:
    """Prompts of the visible queries, as shown."""
    return list(page.locator("#queries > li:visible h3").all_text_contents())


def test_it_plays_from_disk_without_a_request(open_page: OpenPage, watch: Watch, address: str) -> None:
    page = spied(open_page, address)
    page.locator(".takes button").first.click()
    until(page, "made.some(a => !a.paused && a.volume > 0.001 && a.currentTime > 0.2)")
    (sound,) = heard(page)
    assert sound["length"] == pytest.approx(3.0, abs=0.1)
    page.locator("#play").click()
    assert heard(page) == []
    assert {one.split(":")[0] for one in watch.requests} <= {"file", "blob", "data", "about"}


def test_a_key_changes_the_system_at_the_same_position(open_page: OpenPage, address: str) -> None:
    page = spied(open_page, address)
    page.keyboard.press("1")
    until(page, "made.some(a => a.volume > 0.001 && a.currentTime > 0.5)")
    gaps = []
    for key in "234123412":
        page.wait_for_timeout(120)
        gaps.append(page.evaluate(
            """async key => {
                const sounds = () => made.filter(a => !a.paused && a.volume > 0.001);
                const [before] = sounds(), at = before.currentTime, clock = performance.now();
                document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
                const [after] = sounds();
                const from = after.currentTime;
                while (after.currentTime <= from) await new Promise(requestAnimationFrame);
                return [after.currentTime - at - (performance.now() - clock) / 1000, sounds().length, after !== before];
            }""",
            key,
        ))  # fmt: skip
    assert all(count == 1 and changed for _, count, changed in gaps)
    assert sorted(abs(gap) for gap, _, _ in gaps)[len(gaps) // 2] <= GAP_S, gaps


def test_everything_can_be_done_by_keys(open_page: OpenPage, address: str) -> None:
    page = spied(open_page, address)
    now = page.locator("#now")
    page.keyboard.press("Space")
    assert "IQ: " in now.text_content()
    page.keyboard.press("ArrowRight")
    assert "PD: " in now.text_content()
    first = now.text_content()
    page.keyboard.press("j")
    assert now.text_content() != first
    page.keyboard.press("k")
    assert now.text_content() == first
    page.keyboard.press("Space")
    assert heard(page) == []
    page.keyboard.press("l")
    assert not page.locator("#loop").is_checked()
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    page.locator("#help").wait_for(state="hidden")
    page.keyboard.press("/")
    page.keyboard.type("number 5")
    assert prompts(page) == ["prompt number 5"]


def test_before_anything_plays_no_system_is_marked(open_page: OpenPage, inside: Path) -> None:
    page = spied(open_page, inside.as_uri())
    assert page.locator(".takes .on, .takes [aria-pressed=true]").count() == 0
    page.keyboard.press("2")
    assert page.locator(".takes .on [aria-pressed=true]").all_text_contents() == ["2 PD"]


def test_a_key_goes_to_and_fro_between_two_systems(open_page: OpenPage, inside: Path) -> None:
    page = spied(open_page, inside.as_uri())
    page.keyboard.press("x")  # nothing was heard before
    seen = []
    for key in ["1", "4", "x", "x", "j", "x"]:
        page.keyboard.press(key)
        seen.append(page.locator("#now").text_content().split(":")[0])
    assert seen == ["IQ", "real", "IQ", "real", "real", "IQ"]


def test_a_part_is_repeated(open_page: OpenPage, address: str) -> None:
    page = spied(open_page, address)
    page.keyboard.press("1")
    until(page, "made.some(a => a.volume > 0.001 && a.currentTime > 0.3)")
    page.keyboard.press("r")
    assert page.locator("#part").text_content().endswith("s … to here")
    until(page, "made.some(a => a.volume > 0.001 && a.currentTime > 0.8)")
    page.keyboard.press("r")
    first, last = map(float, page.locator("#part").text_content().split()[1].split("–"))
    assert 0.3 <= first < 0.8 <= last
    page.keyboard.press("2")  # another system within the same part
    longest = page.evaluate(
        """async () => {
            const sound = made.find(a => a.volume > 0.001), times = [];
            for (let n = 0; n < 90; n++) await new Promise(requestAnimationFrame), times.push(sound.currentTime);
            return [Math.max(...times), times.some((time, n) => n && time < times[n - 1])];
        }"""
    )
    assert longest[0] < last + 0.3
    assert longest[1]  # it went back
    page.keyboard.press("r")
    assert page.locator("#part").text_content() == "Repeat a part"
    until(page, f"made.some(a => a.volume > 0.001 && a.currentTime > {last + 0.3})")


def test_the_switch_of_equal_loudness_turns_all_but_the_quietest_down(open_page: OpenPage, tmp_path: Path) -> None:
    pytest.importorskip("pyloudnorm")
    page = spied(open_page, write_page(tmp_path, equal_loudness=True).as_uri())

    def volumes() -> list[float]:
        """The volume of each system while it is heard, and all others silent."""
        found = []
        for key in "1234":
            page.keyboard.press(key)
            quiet, _, _, loudest = page.evaluate("made.map(a => a.volume).sort((a, b) => a - b)")
            assert quiet < 1e-4
            found.append(loudest)
        return found

    page.keyboard.press("1")
    data = json.loads(page.locator("#data").text_content())
    key = page.locator("#queries > li[aria-current] a").get_attribute("href").removeprefix("#q=").replace("%20", " ")
    (wanted,) = (query["volumes"] for query in data["queries"] if query["key"] == key)
    assert max(wanted) == 1
    assert min(wanted) < 0.95
    assert volumes() == pytest.approx(wanted, abs=1e-4)
    page.keyboard.press("e")
    assert not page.locator("#level").is_checked()
    assert volumes() == [1, 1, 1, 1]
    page.locator("#level").check()
    assert page.evaluate("Math.max(...made.map(a => a.volume))") == pytest.approx(wanted[3], abs=1e-4)  # at once


def test_single_keys_can_be_turned_off(open_page: OpenPage, inside: Path) -> None:
    page = spied(open_page, inside.as_uri())
    page.keyboard.press("?")
    page.locator("#letters").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    assert page.locator("#now").text_content() == "Nothing is playing"


def test_blind_hides_every_name_and_shuffles(open_page: OpenPage, address: str) -> None:
    page = spied(open_page, address)
    page.keyboard.press("b")
    first = page.locator("#queries > li").first
    assert [text.split()[-1] for text in first.locator("button.take").all_text_contents()] == ["A", "B", "C", "D"]
    texts = first.locator(".takes").inner_text() + " ".join(
        first.locator(".takes img").evaluate_all("all => all.map(image => image.alt)")
    )
    assert not [name for name in SYSTEMS if name in texts]
    assert "0." not in texts  # nor a score
    page.keyboard.press("1")
    assert page.locator("#now").text_content().startswith("System A: ")
    assert "system=" not in page.url
    orders = set()
    for _ in range(6):
        page.keyboard.press("b")
        page.keyboard.press("b")
        orders.add(tuple(first.locator(".takes > li").evaluate_all("all => all.map(item => item.dataset.system)")))
    assert len(orders) > 1


def test_queries_are_searched_and_sorted(open_page: OpenPage, inside: Path) -> None:
    page = spied(open_page, inside.as_uri())
    assert len(prompts(page)) == 12
    page.locator("#find").fill("PROMPT 7")
    assert prompts(page) == ["prompt number 7"]
    assert page.locator("#count").text_content() == "1 of 12 queries"
    page.locator("#find").fill("peak")  # what a check found
    assert prompts(page) == [HOSTILE[1]]
    page.locator("#find").fill("")
    page.locator("#group").select_option("best")
    assert 1 <= len(prompts(page)) <= 5
    page.locator("#group").select_option("")
    page.locator("#by").select_option(label="CLAP score")
    page.locator("#of").select_option(label="PD")
    worst_first = prompts(page)
    assert worst_first[0] == "prompt number 11"
    page.locator("#reverse").check()
    assert prompts(page) == worst_first[::-1]
    page.locator("#minus").select_option(label="IQ")
    assert len(prompts(page)) == 12


def test_the_difference_of_two_systems_sorts(open_page: OpenPage, inside: Path, tmp_path: Path) -> None:
    text = inside.read_text(encoding="utf-8")
    begin, end = '<script type="application/json" id="data">', "</script>"
    before, rest = text.split(begin, 1)
    data, after = rest.split(end, 1)
    tree = json.loads(data)
    for query in tree["queries"]:  # PD less IQ: the number of the query, in an order of its own
        number = int(query["key"].split()[1])
        query["values"][0][1] = query["values"][0][0] + (5 * number) % 12
    tree["queries"][2]["values"][0][1] = None
    changed = tmp_path / "page.html"
    changed.write_text(before + begin + json.dumps(tree).replace("<", "\\u003c") + end + after, encoding="utf-8")
    page = spied(open_page, changed.as_uri())
    page.locator("#by").select_option(label="CLAP score")
    page.locator("#of").select_option(label="PD")
    page.locator("#minus").select_option(label="IQ")
    shown = page.locator("#queries > li a").evaluate_all("all => all.map(a => decodeURIComponent(a.hash.slice(3)))")
    there = [query["key"] for query in tree["queries"] if query["values"][0][1] is not None]
    expected = sorted(there, key=lambda key: (5 * int(key.split()[1])) % 12)
    assert shown == [*expected, tree["queries"][2]["key"]]  # without a value it comes last


def test_a_link_brings_back_query_system_and_search(open_page: OpenPage, address: str) -> None:
    page = spied(open_page, address)
    page.locator("#find").fill("number")
    page.locator("#queries > li:visible button.take").nth(1).click()
    until(page, "location.hash.includes('find=number') && location.hash.includes('q=')")
    link = page.url
    again = open_page("about:blank", context=page.context)
    again.goto(link)
    assert again.locator("#find").input_value() == "number"
    assert again.locator("#now").text_content().startswith("PD: prompt number")


def test_tables_sort_and_filter(open_page: OpenPage, inside: Path) -> None:
    page = open_page(inside.as_uri())
    table = page.locator("table").first
    names = lambda: table.locator("tbody tr:not(.group) td:first-child").all_text_contents()  # noqa: E731
    original = names()
    head = table.get_by_role("button", name="FAD")
    head.click()
    assert names() == ["IQ", "PD", "ZS", "real"]
    head.click()
    assert names() == ["real", "ZS", "PD", "IQ"]
    assert table.locator("th[aria-sort=descending]").count() == 1
    head.click()
    assert names() == original


def test_hidden_systems_are_not_heard(open_page: OpenPage, inside: Path) -> None:
    page = spied(open_page, inside.as_uri())
    page.locator("form summary").click()
    page.get_by_label("PD", exact=True).uncheck()
    page.locator("#queries > li").first.locator("button.take").nth(1).click()
    assert page.locator("#now").text_content().startswith("ZS: ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier(open_page: OpenPage, inside: Path, scheme: str) -> None:
    page = spied(open_page, inside.as_uri(), color_scheme=scheme, viewport={"width": 1280, "height": 4000})
    page.keyboard.press("1")
    assert accessibility_problems(page) == []
    page.keyboard.press("b")
    page.keyboard.press("?")
    assert accessibility_problems(page) == []


@pytest.mark.parametrize("width", [1280, 640, 360])
def test_it_fits_its_window(open_page: OpenPage, inside: Path, width: int) -> None:
    page = spied(open_page, inside.as_uri(), viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_paper_every_visible_query_has_its_spectrograms_and_there_are_no_controls(
    open_page: OpenPage, inside: Path
) -> None:
    page = spied(open_page, inside.as_uri())
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".strip img").count() == 12 * 4
    assert not page.locator("form.controls").is_visible()
    assert not page.locator(".player").is_visible()
    assert page.pdf().startswith(b"%PDF")


def test_hostile_prompts_stand_as_they_are(open_page: OpenPage, inside: Path) -> None:
    page = open_page(inside.as_uri())
    *short, long = (prompt.strip() for prompt in HOSTILE)
    assert set(short) <= set(prompts(page))
    (heading,) = (prompt for prompt in prompts(page) if prompt.endswith("…"))
    assert long.startswith(heading.removesuffix("…"))
    assert len(heading) <= 301
    whole = page.locator("#queries details")
    assert not whole.locator("bdi").is_visible()
    whole.locator("summary").click()
    assert whole.locator("bdi").inner_text().strip() == long
    page.locator("#find").fill(long[-40:])  # all of it is searched
    assert prompts(page) == [heading]


def test_no_more_than_thirty_sounds_are_kept(open_page: OpenPage, inside: Path) -> None:
    page = open_page("about:blank")
    page.add_init_script(
        "window.live = 0; const [make, free] = [URL.createObjectURL, URL.revokeObjectURL];"
        "URL.createObjectURL = (x) => { live++; return make.call(URL, x); };"
        "URL.revokeObjectURL = (x) => { live--; free.call(URL, x); };"
    )
    page.goto(inside.as_uri())
    page.keyboard.press("1")
    for _ in range(11):
        page.keyboard.press("j")
    assert 4 <= page.evaluate("live") <= 30


def test_without_a_script_there_are_still_the_numbers(open_page: OpenPage, inside: Path) -> None:
    page = open_page(inside.as_uri(), java_script_enabled=False)
    assert page.locator("table").first.is_visible()
    assert page.locator("noscript").is_visible()
