"""Open GLB files in `@google/model-viewer` and VRM files in `@pixiv/three-vrm`, in headless Chromium.

    python -m benchmarks.viewers FILE... --out FOLDER

Writes a picture of each file at rest, from the front, and prints what the viewer says of it: animations by
name or humanoid bones, and how far its picture is from ours, box on box. Needs Node.js with npm, Chromium
and the package playwright.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copy, which
from threading import Thread
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

import specsia
from specsia_build.arrays import Mask, Pixels
from specsia_build.pictures.masks import box_around

PACKAGES = ("@google/model-viewer", "three", "@pixiv/three-vrm")
SIZE = 1024
BOX = 512  # Side of the boxes that are compared
GROUND = (255, 0, 255)  # No figure's colour
SWIFTSHADER = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox")

PAGE = """<!doctype html><meta charset="utf-8"><style>body {margin: 0; background: rgb(255, 0, 255)}
model-viewer {width: 1024px; height: 1024px; --progress-bar-height: 0px}</style>
<script type="importmap">{"imports": {"three": "/node_modules/three/build/three.module.js",
"three/addons/": "/node_modules/three/examples/jsm/",
"vrm": "/node_modules/@pixiv/three-vrm/lib/three-vrm.module.js"}}</script>
<script type="module" src="/node_modules/@google/model-viewer/dist/model-viewer-module.min.js"></script>"""

SHOW_GLB = """async name => {
  const viewer = document.createElement('model-viewer');
  viewer.setAttribute('interaction-prompt', 'none');
  // From so far away that rays are nearly parallel.
  const camera = {'min-field-of-view': '1deg', 'max-camera-orbit': 'auto auto 30m',
    'camera-orbit': '0deg 90deg 30m', 'shadow-intensity': '0'};
  Object.entries(camera).forEach(entry => viewer.setAttribute(...entry));
  const done = new Promise((good, bad) => {
    viewer.addEventListener('load', good);
    viewer.addEventListener('error', e => bad(new Error(String(e.detail.sourceError || e.detail.type))));
  });
  viewer.src = name;
  document.body.replaceChildren(viewer);
  await done;
  const size = viewer.getDimensions();
  viewer.fieldOfView = 2 * Math.atan(0.55 * Math.max(size.x, size.y) / 30) + 'rad';
  await viewer.updateComplete;
  viewer.jumpCameraToGoal();
  await new Promise(r => setTimeout(r, 1500));
  return {animations: viewer.availableAnimations, height: size.y};
}"""

SHOW_VRM = """async name => {
  const THREE = await import('three'), vrms = await import('vrm');
  const {GLTFLoader} = await import('three/addons/loaders/GLTFLoader.js');
  const loader = new GLTFLoader();
  loader.register(parser => new vrms.VRMLoaderPlugin(parser));
  const vrm = (await loader.loadAsync(name)).userData.vrm;
  const renderer = new THREE.WebGLRenderer({antialias: true, preserveDrawingBuffer: true});
  renderer.setSize(1024, 1024);
  const scene = new THREE.Scene(), camera = new THREE.OrthographicCamera(-1, 1, 1.85, -0.15, 0.1, 10);
  scene.background = new THREE.Color('rgb(255, 0, 255)');
  scene.add(vrm.scene, new THREE.AmbientLight('white', 3));
  camera.position.set(0, 0, 5);
  renderer.render(scene, camera);
  document.body.replaceChildren(renderer.domElement);
  return {bones: Object.keys(vrm.humanoid.humanBones).length, version: vrm.meta.metaVersion};
}"""


def show(page: Page, path: Path, out: Path) -> dict[str, Any]:
    """Open a file that the server has; returns what the viewer says of it, or the error."""
    script = SHOW_VRM if path.suffix == ".vrm" else SHOW_GLB
    try:
        facts: dict[str, Any] = page.evaluate(script, f"/{path.name}")
    except Exception as error:
        return {"error": str(error).splitlines()[0]}
    page.screenshot(path=out / f"{path.name}.png")
    pixels = np.asarray(Image.open(out / f"{path.name}.png").convert("RGB"))
    return {**facts, **difference(pixels, path)}


def difference(shown: Pixels, path: Path) -> dict[str, float]:
    """IoU and mean difference of colour, 0-255, of a viewer's picture (S, S, 3) and ours, box on box."""
    ours = specsia.render(specsia.load(path), views=1, size=SIZE, outline=(0, 0))[0].layers.color
    theirs, covered = boxed(shown, np.abs(shown.astype(int) - GROUND).max(axis=2) > 127)
    picture, mask = boxed(ours[..., :3], ours[..., 3] > 127)
    both = covered & mask
    iou = both.sum() / (covered | mask).sum()
    colour = np.abs(theirs[both].astype(int) - picture[both]).mean()
    return {"iou": round(float(iou), 4), "colour": round(float(colour), 2)}


def boxed(picture: Pixels, mask: Mask) -> tuple[Pixels, Mask]:
    """A figure's box at `BOX` x `BOX` pixels, and where it is covered."""
    rows, columns = box_around(mask)
    area = columns.start, rows.start, columns.stop, rows.stop
    colour = Image.fromarray(picture).resize((BOX, BOX), box=area)
    cover = Image.fromarray(mask.astype(np.uint8) * 255).resize((BOX, BOX), box=area)
    return np.asarray(colour), np.asarray(cover) > 127


def open_all(paths: Sequence[Path], out: Path) -> dict[str, dict[str, Any]]:
    """Open each file in its viewer."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        install = ["npm", "install", "--silent", "--no-audit", "--no-fund", *PACKAGES]
        subprocess.run(install, cwd=folder, check=True)  # noqa: S603
        (Path(folder) / "index.html").write_text(PAGE)
        for path in paths:
            copy(path, folder)
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder))
        Thread(target=server.serve_forever, daemon=True).start()
        browser = driver.chromium.launch(executable_path=which("chromium"), args=list(SWIFTSHADER))
        page = browser.new_page(viewport={"width": SIZE, "height": SIZE})
        page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
        facts = {path.name: show(page, path, out) for path in paths}
        browser.close()
        server.shutdown()
    return facts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Open GLB and VRM files in the viewers of browsers.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    for name, facts in open_all(given.files, given.out).items():
        print(name, json.dumps(facts))  # noqa: T201
