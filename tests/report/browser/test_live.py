"""The page of a run that is being built, as a person sees it."""

from __future__ import annotations

import io
import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from specsia_build.config import BuildConfig
from specsia_build.report.serving import PageServer
from specsia_build.report.watch import Watched
from tests.report.tiny_run import config_of, run, write_manifest


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[BuildConfig, Path]:
    """A build that was stopped after one character of two."""
    top = tmp_path_factory.mktemp("live")
    config = config_of(write_manifest(top, ("first", "second"), ()))
    run(replace(config, limit=1), top / "run")
    return config, top / "run"


@pytest.fixture
def begun(built: tuple[BuildConfig, Path], tmp_path: Path) -> tuple[BuildConfig, Path]:
    """A copy of it to go on with."""
    return built[0], Path(shutil.copytree(built[1], tmp_path / "run"))


@pytest.fixture
def live(begun: tuple[BuildConfig, Path], browser: Browser) -> Iterator[Page]:
    """Its page, as it is served; nothing may be said in the console."""
    said: list[str] = []
    with PageServer(Watched(str(begun[1]), rest=0).find) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{server.url}#gallery")
        yield page
        page.close()
        server.shutdown()
        thread.join()
    refused = ("ERR_INTERNET_DISCONNECTED", "a status of 500")
    assert [line for line in said if not any(why in line for why in refused)] == []


def colours(page: Page) -> int:
    """How many the first card's picture shows."""
    picture = page.locator(".card .strip").first
    picture.wait_for()
    with Image.open(io.BytesIO(picture.screenshot())) as shown:
        return len(shown.getcolors(1 << 20) or ())


def test_characters_appear_as_they_are_made(live: Page, begun: tuple[BuildConfig, Path]) -> None:
    expect(live.locator(".card .open .name")).to_have_text(["first"])
    assert colours(live) > 20
    expect(live.locator("#live li").first).to_contain_text("1 of 1")
    live.locator("input[type=search]").first.fill("s")
    run(*begun)
    expect(live.locator(".card .open .name")).to_have_text(["first", "second"])
    expect(live.locator("#live li").first).to_contain_text("2 of 2")
    expect(live.locator("input[type=search]").first).to_have_value("s")
    live.get_by_role("link", name="second").click()
    expect(live.locator("main h1")).to_have_text("second")
    live.go_back()
    expect(live.locator(".card .open .name")).to_have_text(["first", "second"])


def test_a_page_that_nobody_serves_any_more_says_so(live: Page) -> None:
    live.context.set_offline(True)
    expect(live.locator("#live .trouble")).to_contain_text("Nobody serves this page any more")
    live.context.set_offline(False)
    expect(live.locator("#live")).to_contain_text("Last change")
    expect(live.locator(".card .open .name")).to_have_text(["first"])


def test_it_says_how_long_the_rest_takes_while_that_holds(live: Page) -> None:
    told = json.loads(live.locator("#data").text_content() or "")

    def tell(left: dict[str, float] | None, version: str) -> None:
        progress = {**told["progress"], "changed": time.time(), "left": left}
        live.unroute_all()
        live.route(
            "**/document?*", lambda route: route.fulfill(json={**told, "version": version, "progress": progress})
        )

    said = live.locator("#live p")
    tell({"seconds": 725, "until": time.time() + 600}, "a")
    expect(said).to_have_text(re.compile("^Last change .* ago · about 12 min left$"))
    tell({"seconds": 725, "until": time.time() - 1}, "b")
    expect(said).to_have_text(re.compile("^Last change .* ago$"))


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [(500, "", "What serves this page answers 500"), (200, "{", "What has changed cannot be shown")],
)
def test_a_page_tells_other_trouble_as_what_it_is(live: Page, status: int, body: str, told: str) -> None:
    live.route("**/document*", lambda route: route.fulfill(status=status, body=body))
    expect(live.locator("#live .trouble")).to_contain_text(told)
    live.unroute("**/document*")
    expect(live.locator("#live .trouble")).to_have_count(0)
