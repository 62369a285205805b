"""Serve the page of `specsia web` as a Space of the Hub starts it: on every address, at Gradio's port."""

from specsia_build.web import served

if __name__ == "__main__":
    served("0.0.0.0", 7860)  # noqa: S104  a Space is to be reached
