"""The page itself: its frame, and all that it needs, in one file that loads nothing but pictures."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from specsia_build.report.markup import Html, join, tag

STYLES = ("page.css", "viewer.css")
SCRIPTS = (
    "base.js",
    "choose.js",
    "parts.js",
    "strip.js",
    "card.js",
    "overview.js",
    "gallery.js",
    "dock.js",
    "failures.js",
    "clips.js",
    "stage.js",
    "contrast.js",
    "curves.js",
    "about.js",
    "viewer.js",
)
"""What the page is made of, in this order."""

VIEWS = {"overview": "Overview", "gallery": "Gallery", "failures": "Failures"}

THEME = Html(
    '<svg viewBox="0 0 24 24" class="icon" aria-hidden="true"><circle cx="12" cy="12" r="8"/>'
    '<path d="M12 4a8 8 0 0 1 0 16z" fill="currentColor"/></svg>'
)


def shell(document: Mapping[str, Any]) -> str:
    """The page that shows a document; it loads nothing but pictures, and runs nothing but its own script."""
    style, script = join(map(asset, STYLES)), join(map(asset, SCRIPTS), "\n")
    script = Html(f"(() => {{\n{script}start();\n}})();\n")
    policy = (
        f"default-src 'none'; img-src 'self' file: data: blob:; style-src {_digest(style)}; "
        f"script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
    )
    head = join(
        [
            Html('<meta charset="utf-8">'),
            # Or a browser asks whoever serves the page for one.
            Html('<link rel="icon" href="data:,">'),
            tag("title", f"specsia: {document['title'][:200]}"),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
            tag("style", style),
        ],
        "\n",
    )
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en">',
            f"<head>\n{head}\n</head>",
            f"<body>\n{_frame(document)}",
            f'<script type="application/json" id="data">{_embedded(document)}</script>',
            f"<script>{script}</script>",
            "</body>\n</html>\n",
        )
    )


@cache
def asset(name: str) -> Html:
    """A file that comes along."""
    return Html(files("specsia_build.report").joinpath("assets", name).read_text(encoding="utf-8"))


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _embedded(document: Mapping[str, Any]) -> str:
    """JSON that ends no element and begins none; what is no character at all, as half of a pair, becomes a mark."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace").decode().replace("<", "\\u003c")


def _frame(document: Mapping[str, Any]) -> Html:
    links = [
        tag(
            "li",
            tag("a", name, *([tag("span", id="lost")] if key == "failures" else []), href=f"#{key}", data_view=key),
        )
        for key, name in VIEWS.items()
    ]
    return join(
        [
            tag("a", "Skip to the content", href="#main", cls="skip"),
            tag(
                "header",
                tag("span", "specsia", cls="brand"),
                tag("span", document["title"][:200], cls="name", dir="auto"),
                tag("nav", tag("ul", *links, role="list"), aria_label="Views"),
                tag(
                    "button",
                    THEME,
                    type="button",
                    id="theme",
                    aria_label="Change between light and dark",
                    title="Light or dark",
                ),
                cls="top",
            ),
            tag(
                "main",
                tag("noscript", tag("p", "This page needs JavaScript to show its pictures.")),
                id="main",
                tabindex="-1",
            ),
            tag("div", id="said", cls="unseen", role="status", aria_live="polite"),
        ],
        "\n",
    )
