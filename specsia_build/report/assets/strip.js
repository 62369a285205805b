// A strip is one picture with all frames of a layer, in rows of equal squares; one of them is shown at a time.

/**
 * An element that shows one frame of a strip, as wide as `size` in CSS pixels or as what it stands in.
 *
 * Its `show(frame)` turns to another. Frames count round: the one after the last is the first.
 * `label` is for those who cannot see it; without one the picture is decoration.
 */
function stripView(strip, frame = 0, size = null, label = "") {
  const image = h("img", { alt: label, decoding: "async", loading: "lazy", draggable: "false" });
  const view = h("span", { class: "strip" }, image);
  let [columns, rows, shown] = [1, 1, frame];
  const place = () => {
    const count = columns * rows;
    const at = ((shown % count) + count) % count;
    view.style.setProperty("--column", at % columns);
    view.style.setProperty("--row", Math.floor(at / columns));
  };
  view.show = (next) => {
    shown = next;
    place();
  };
  image.addEventListener("load", () => {
    columns = Math.max(1, Math.round(image.naturalWidth / state.data.tile));
    rows = Math.max(1, Math.round(image.naturalHeight / state.data.tile));
    view.style.setProperty("--columns", columns);
    place();
    view.classList.add("ready");
  });
  image.addEventListener("error", () => {
    view.classList.add("lost");
    view.replaceChildren(h("span", {}, "This picture cannot be loaded. It lies in the folder beside the page."));
  });
  if (size !== null) view.style.width = `${size}px`;
  image.src = strip;
  return view;
}
