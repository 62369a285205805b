"""Text that came from data, made fit to be shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from specsia_build.errors import MOST_SHOWN, SpecsiaError, brief, printable


@given(st.text(st.characters()))
def test_printable_text_is_one_line_without_control_characters(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    shown.encode()


def test_printable_escapes_and_keeps() -> None:
    assert (
        printable("\x1b]0;x\x07\n\u202e\udc80 naïve 漢字\u3000") == "\\x1b]0;x\\x07\\n\\u202e\\udc80 naïve 漢字\u3000"
    )
    assert str(SpecsiaError("a\x1bb")) == "a\\x1bb"


@given(st.text(st.characters(), max_size=700))
def test_a_brief_text_is_bounded(text: str) -> None:
    assert len(brief(text)) <= MOST_SHOWN
