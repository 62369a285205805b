let held = null;
const moved = (circle, x, y) => {
  const k = circle.dataset.joint;
  x = Math.min(512, Math.max(0, x)); y = Math.min(512, Math.max(0, y));
  circle.setAttribute("cx", x); circle.setAttribute("cy", y);
  element.querySelectorAll("line").forEach(line => line.dataset.ends.split(" ").forEach((end, n) => {
    if (end === k) { line.setAttribute(`x${n + 1}`, x); line.setAttribute(`y${n + 1}`, y); }
  }));
};
const kept = (circle) => {
  const joints = props.value.joints.map(joint => [...joint]);
  const k = circle.dataset.joint;
  joints[k] = [+circle.getAttribute("cx"), +circle.getAttribute("cy"), joints[k][2]];
  props.value = {...props.value, joints};
};
element.addEventListener("pointerdown", event => {
  if (event.target.dataset.joint !== undefined) { held = event.target; event.preventDefault(); held.focus(); }
});
window.addEventListener("pointermove", event => {
  if (held === null) return;
  const matrix = element.querySelector("svg").getScreenCTM().inverse();
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
  moved(held, point.x, point.y);
});
window.addEventListener("pointerup", () => { if (held !== null) { kept(held); held = null; } });
const steps = {ArrowLeft: [-4, 0], ArrowRight: [4, 0], ArrowUp: [0, -4], ArrowDown: [0, 4]};
element.addEventListener("keydown", event => {
  const circle = event.target, step = steps[event.key];
  if (circle.dataset.joint === undefined || step === undefined) return;
  event.preventDefault();
  moved(circle, +circle.getAttribute("cx") + step[0], +circle.getAttribute("cy") + step[1]);
  kept(circle);
  element.querySelector(`[data-joint="${circle.dataset.joint}"]`).focus();
});
