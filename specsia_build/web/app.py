"""The page: what visitors see and press, on Gradio; all work is done by `jobs`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.look.repair import AVATAR_FILE, CHARACTER_FILE, REPAIR_FILMS, REPAIR_SHEET
from specsia_build.web import jobs
from specsia_build.web.editor import edited, joints_editor, places_of
from specsia_build.web.sessions import EXAMPLES, Visitors

TITLE = "specsia"
MOST_UPLOAD = "20mb"  # Size of one uploaded file
_MOST_WAITING = 20  # Visitors whose repairs may wait
_NOTHING = "Drop a drawing to begin."
_MOTIONS = (("turn around", ""), ("bounce", "bounce"), ("sway", "sway"))  # Of any figure
_OF_PERSONS = tuple((name, name) for name in ("idle", "run", "jump", "wave", "walk"))
_INTRO = """# A drawing, seen from every side

Drop a drawing of one character, best from the front on white or transparent paper. It is cut out,
reconstructed, turned, and every view is repaired. Nothing leaves this machine."""
_CSS = """.gradio-container {max-width: 1180px !important; margin: auto !important}
#start:not([disabled]) {background: #a83a00}"""
# Gradio gives the pictures of examples no names.
_NAMES = """() => document.querySelectorAll(".gallery-item").forEach(
    (item, number) => item.setAttribute("aria-label", `Example ${number + 1}`))"""


def build_app(server: Path, options: Mapping[str, Any] | None = None) -> gr.Blocks:
    """Make the page, whose files lie in the folder `server`; `options` are those of every repair."""
    examples = jobs.example_drawings(server / EXAMPLES)
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as app:
        gr.Markdown(_INTRO)
        with gr.Row():
            with gr.Column():
                drawing = _drawing_input("Drawing")
                with gr.Accordion("Add its left side or its back", open=False):
                    left, back = _drawing_input("Its left side"), _drawing_input("Its back")
                gr.Examples([[str(path)] for path in examples], drawing, label="Examples (CC0)")
            with gr.Column():
                findings = gr.Markdown(_NOTHING, elem_id="found")
                preview = joints_editor()
                motion = gr.Radio(list(_MOTIONS), value="", label="Motion", elem_id="motion")
                start = gr.Button("Bring it to life", variant="primary", interactive=False, elem_id="start")
                outcome = gr.Markdown(elem_id="told")
        with gr.Row(visible=False) as results:
            film = gr.Video(label="The film", autoplay=True, loop=True, elem_id="film")
            figure = gr.Model3D(label="The character", interactive=False, height=360, elem_id="figure")
            files = gr.File(label="Files", interactive=False, elem_id="files")
        looked_at = [findings, preview, motion, start, results]
        glb = gr.State()
        repaired = [outcome, results, film, glb, files]
        handlers = Handlers(Visitors(server), options or {}, Form(drawing, left, back, preview, motion))
        drawing.change(handlers.look, [drawing], looked_at, show_progress="minimal")
        # One at a time, in the order in which visitors ask.
        done = start.click(handlers.repair, {*handlers.form}, repaired, concurrency_limit=1)
        # The viewer shows a character only if it was there before that.
        done.then(lambda character: character, [glb], [figure])
        app.load(js=_NAMES)
        app.unload(handlers.leave)
    queued: gr.Blocks = app.queue(max_size=_MOST_WAITING, default_concurrency_limit=2)
    return queued


def _drawing_input(label: str) -> gr.Image:
    picture = gr.Image(label=label, image_mode=None, sources=["upload", "clipboard"], height=320, buttons=[])
    # Only `jobs` open what visitors send.
    picture.preprocess = _path_of  # type: ignore[method-assign]
    return picture


def _path_of(payload: Any) -> str | None:
    return None if payload is None else str(payload.path)


class Form(NamedTuple):
    """What a visitor fills in: drawings, joints in the picture, and a motion."""

    drawing: gr.Image
    left: gr.Image
    back: gr.Image
    joints: gr.HTML
    motion: gr.Radio


@dataclass(frozen=True)
class Handlers:
    """What the page does for its visitors. Gradio passes a request to methods that ask for one."""

    visitors: Visitors
    options: Mapping[str, Any]
    form: Form

    def leave(self, request: gr.Request) -> None:
        """Forget a visitor."""
        self.visitors.leave(str(request.session_hash))

    def look(self, uploaded: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Say what was found in a drawing, show it, and offer to repair it."""
        if uploaded is None:
            return _NOTHING, None, gr.Radio(), gr.Button(interactive=False), gr.Row(visible=False)
        session = str(request.session_hash)
        folder = self.visitors.new_job(session)
        try:
            drawing = self.visitors.keep(session, uploaded, folder / "drawing")
            seen = jobs.run(jobs.look_at, jobs.Order(drawing, folder / "seen"))
        except SpecsiaError as error:
            return f"**{error}**", None, gr.Radio(), gr.Button(interactive=False), gr.Row(visible=False)
        choices = _MOTIONS if seen.joints is None else (*_MOTIONS, *_OF_PERSONS)
        motion = gr.Radio([*choices], value=choices[-1][1] if seen.joints else "")
        text = "\n\n".join(seen.sentences)
        return text, edited(seen), motion, gr.Button(interactive=True), gr.Row(visible=False)

    def repair(
        self,
        values: Mapping[Any, Any],
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  Gradio finds it by its default
    ) -> Iterator[tuple[Any, ...]]:
        """Repair a drawing, and show its film, its character and its files."""
        hidden = gr.Row(visible=False), None, None, None
        yield "Reconstructing the drawing …", *hidden
        uploaded, left, back, joints, motion = (values[part] for part in self.form)
        session = str(request.session_hash)
        folder = self.visitors.new_job(session)

        def tell(share: float) -> None:
            progress(share, desc="Repairing the views" if share else "Reconstructing the drawing")

        try:
            options = dict(self.options)
            if left is not None:
                options["side"] = f"left:{self.visitors.keep(session, left, folder / 'left')}"
            if back is not None:
                options["back"] = self.visitors.keep(session, back, folder / "back")
            if motion:
                options["motion"] = (motion,)
            drawing = self.visitors.keep(session, uploaded, folder / "drawing")
            order = jobs.Order(drawing, folder / "repair", options, places_of(joints))
            repaired = jobs.run(jobs.repair, order, tell)
        except SpecsiaError as error:
            yield f"**{error}**", *hidden
            return
        warnings = "\n\n".join(f"⚠ {warning}" for warning in repaired.warnings)
        yield warnings, gr.Row(visible=True), *_results(order.out)


def _results(out: Path) -> tuple[str, str, list[str]]:
    """The film, the character and all files of a repair, with an archive of everything."""
    archive = shutil.make_archive(str(out), "zip", out)
    names = (*REPAIR_FILMS, REPAIR_SHEET, CHARACTER_FILE, AVATAR_FILE)
    files = [str(out / name) for name in names if (out / name).is_file()]
    return str(out / REPAIR_FILMS[-1]), str(out / CHARACTER_FILE), [*files, archive]


def serve(app: gr.Blocks, host: str, port: int) -> str:
    """Serve the page in threads of this process; returns its address.

    Raises `UsageError` if the port is taken.
    """
    try:
        _, url, _ = app.launch(
            server_name=host,
            server_port=port,
            prevent_thread_lock=True,
            max_file_size=MOST_UPLOAD,
            css=_CSS,
            quiet=True,
            share=False,
            enable_monitoring=False,
            footer_links=[],
        )
    except OSError as error:
        raise UsageError(f"nothing can listen on {host}:{port} ({error}): name another --port") from error
    return str(url)
