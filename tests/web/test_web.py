"""`specsia web`: the page in a browser, what visitors leave behind, and files that harm."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from specsia_build.errors import SpecsiaError
from specsia_build.web import jobs
from specsia_build.web.sessions import EXAMPLES, Visitors, server_folder
from tests.commands import COMMAND
from tests.needs import needs

SMALL = {"views": 6, "size": 128}


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jobs.example_drawings(tmp_path_factory.mktemp("drawings"))[0]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that holds nothing else."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_folders_of_killed_servers_are_removed(temporary: Path) -> None:
    left = temporary / "specsia-web-left"
    left.mkdir()
    (left / "lock").touch()
    foreign = temporary / "specsia-web-of-somebody"
    foreign.mkdir()
    with server_folder() as first, server_folder() as second:
        assert first != second
        assert not left.exists()
        assert foreign.is_dir()
    assert [*temporary.iterdir()] == [foreign]


def test_nothing_of_a_visitor_stays(tmp_path: Path, drawing: Path) -> None:
    visitors = Visitors(tmp_path / "server")
    sent = tmp_path / "sent.png"
    sent.write_bytes(drawing.read_bytes())
    folder = visitors.new_job("one")
    other = visitors.new_job("two")
    assert visitors.keep("one", str(sent), folder / "drawing").read_bytes() == drawing.read_bytes()
    # Gradio keeps one file of what both send, and an example is everybody's.
    visitors.keep("two", str(sent), other / "drawing")
    (example,) = jobs.example_drawings(visitors.server / EXAMPLES)[:1]
    visitors.keep("two", str(example), other / "example")
    visitors.leave("one")
    assert not folder.parent.exists()
    assert sent.exists()
    visitors.leave("two")
    assert not sent.exists()
    assert example.exists()
    with pytest.raises(SpecsiaError):
        visitors.new_job("../elsewhere")


@pytest.mark.parametrize("data", [b"", b"<html>", b"\x89PNG\r\n\x1a\n" + bytes(64)])
def test_files_that_are_no_pictures(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "drawing.png"
    file.write_bytes(data)
    with pytest.raises(SpecsiaError):
        jobs.run(jobs.look_at, jobs.Order(file, tmp_path / "seen"))
    with pytest.raises(SpecsiaError):
        Visitors(tmp_path).keep("one", str(tmp_path / "program.exe"), tmp_path / "drawing")


def crash(order: jobs.Order) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_job_that_dies(tmp_path: Path, drawing: Path) -> None:
    with pytest.raises(SpecsiaError):
        jobs.run(crash, jobs.Order(drawing, tmp_path / "out"))


@pytest.fixture(scope="module")
def page_url() -> Iterator[str]:
    needs("web")
    from specsia_build.web.app import build_app, serve

    with server_folder() as server:
        os.environ["GRADIO_TEMP_DIR"] = str(server)
        app = build_app(server, SMALL)
        yield serve(app, "127.0.0.1", 7998)
        app.close()


def opened(browser: Browser, url: str, width: int = 1280) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(120_000)
    page.goto(url)
    return page


def drop(page: Page, file: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(file)


def repaired(page: Page) -> None:
    expect(page.locator("#film video")).to_be_visible(timeout=120_000)


def test_a_drawing_is_dropped(browser: Browser, page_url: str, drawing: Path, tmp_path: Path) -> None:
    page = opened(browser, page_url)
    hosts: set[str | None] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    start = page.locator("#start")
    expect(start).to_be_disabled()
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    drop(page, bad)
    expect(page.locator("#found strong")).to_be_visible(timeout=60_000)
    expect(start).to_be_disabled()
    page.locator("button[aria-label='Clear'], button[aria-label='Remove Image']").first.click()
    drop(page, drawing)
    expect(start).to_be_enabled(timeout=60_000)
    # By keyboard alone from here.
    joint = page.locator("#joints circle").first
    before = float(joint.get_attribute("cy") or "nan")
    joint.focus()
    page.keyboard.press("ArrowUp")
    expect(joint).to_have_attribute("cy", f"{before - 4:g}")
    start.focus()
    page.keyboard.press("Enter")
    repaired(page)
    expect(page.locator("#figure canvas")).to_be_visible(timeout=60_000)
    with page.expect_download() as download:
        page.locator("#files a[download]").last.click()
    assert Path(download.value.path()).stat().st_size > 10_000
    assert hosts <= {"127.0.0.1", "", None}
    page.close()


def test_two_visitors_at_once_on_phones(browser: Browser, page_url: str, drawing: Path) -> None:
    pages = [opened(browser, page_url, 390) for _ in range(2)]
    for page in pages:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        drop(page, drawing)
    for page in pages:
        expect(page.locator("#start")).to_be_enabled(timeout=60_000)
        page.locator("#start").click()
    for page in pages:
        repaired(page)
    # The canvas of Gradio's viewer has a tabindex of its own.
    problems = Axe().run(pages[0], {"exclude": [["#figure canvas"]]}).response["violations"]
    assert [(problem["id"], problem["nodes"][0]["html"]) for problem in problems] == []
    for page in pages:
        page.close()


@pytest.mark.parametrize("space", [False, True])
def test_server_cleans_up(space: bool, tmp_path: Path) -> None:
    needs("web")
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    here = Path(__file__).parents[2] / "examples" / "space" / "app.py"
    command = [sys.executable, str(here)] if space else [*COMMAND, "web", "--port", "7999"]
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.STDOUT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        try:
            address = next(line for line in iter(process.stdout.readline, b"") if b"http://" in line)
            assert urlopen(re.sub(rb".*(http://[^;\s]+).*", rb"\1", address).decode()).status == 200
            process.send_signal(signal.SIGINT)
            process.wait(60)
        finally:
            process.kill()
    assert not [*tmp_path.glob("specsia-web-*")]
