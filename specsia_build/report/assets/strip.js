// A strip is one picture with all frames of a layer, in rows of equal squares; one of them is shown at a time.

/**
 * An element that shows one frame of a strip of so many, as wide as what it stands in.
 *
 * Its `show(frame)` turns to another. `label` is for those who cannot see it; without one the picture is decoration.
 */
function stripView(strip, frames, frame = 0, label = "") {
  // Decoded with the frame that it is in: else pictures that belong together would appear one after the other.
  const image = h("img", { alt: label, decoding: "sync", draggable: "false" });
  const view = h("span", { cls: "strip" }, image);
  const columns = Math.min(state.data.columns, frames);
  let shown = frame;
  view.show = (next) => {
    shown = next;
    view.style.setProperty("--column", shown % columns);
    view.style.setProperty("--row", Math.floor(shown / columns));
  };
  image.addEventListener("load", () => {
    const tile = image.naturalWidth / columns;
    view.style.setProperty("--columns", columns);
    view.style.setProperty("--trim", tile / Math.max(1, tile - 1));
    view.show(shown);
    view.classList.add("ready");
  });
  image.addEventListener("error", () => {
    view.classList.add("lost");
    view.replaceChildren("This picture cannot be loaded: the folder beside the page that holds it is missing or incomplete.");
  });
  image.src = strip;
  return view;
}
