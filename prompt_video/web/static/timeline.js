// Segments on the time of the video, a lane for each text, and the similarity below on the same scale of time.

import { clock, colorOf, element, short } from "./drawing.js";

const TICKS = 4;

/** Lanes of segments; `seek` is called with seconds. */
export function drawLanes(target, answer, segments, seek) {
  const lanes = new Map();
  for (const one of [...segments].sort((a, b) => a.start - b.start)) {
    if (!lanes.has(one.text)) lanes.set(one.text, []);
    lanes.get(one.text).push(one);
  }
  const rows = [...lanes].flatMap(([text, own]) => [
    element("div", { className: "lane-name" }, element("i", { className: `key ${colorOf(answer, text)}` }), short(text)),
    track(answer, own.map((one) => segment(answer, one, seek)), seek),
  ]);
  target.replaceChildren(...rows, element("div", { className: "lane-name axis" }, "Time (m:ss)"), ruler(answer.duration_sec));
}

function segment(answer, one, seek) {
  const name = `${short(one.text)}, ${clock(one.start)} to ${clock(one.end)}, score ${one.score.toFixed(2)}`;
  const button = element("button", { type: "button", className: `segment ${colorOf(answer, one.text)}`, title: name, "aria-label": name });
  button.style.left = `${(100 * one.start) / answer.duration_sec}%`;
  button.style.width = `${(100 * (one.end - one.start)) / answer.duration_sec}%`;
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    seek(one.start);
  });
  return button;
}

/** A strip on which the pointer may choose any moment; keys have the segments and the player's own controls. */
function track(answer, children, seek) {
  const made = element("div", { className: "track" }, ...children);
  made.addEventListener("click", (event) => {
    const box = made.getBoundingClientRect();
    seek((answer.duration_sec * (event.clientX - box.left)) / box.width);
  });
  return made;
}

function ruler(duration) {
  const ticks = [...Array(TICKS + 1).keys()].map((place) => {
    const tick = element("span", {}, clock((duration * place) / TICKS, duration < 20));
    tick.style.left = `${(100 * place) / TICKS}%`;
    return tick;
  });
  return element("div", { className: "ruler" }, ...ticks);
}

/** Lines of similarity over time, with the ends of both axes named. */
export function drawCurve(target, answer, seek) {
  target.hidden = !answer.curve;
  if (!answer.curve) return target.replaceChildren();
  const { times, lines } = answer.curve;
  const values = lines.flatMap((line) => line.values);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const picture = element("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img",
    "aria-label": `Similarity of the best ${lines.length} texts over time, from ${low.toFixed(3)} to ${high.toFixed(3)}` });
  for (const y of [4, 50, 96]) picture.append(element("line", { x1: 0, x2: 1000, y1: y, y2: y, class: "grid" }));
  for (const line of [...lines].reverse()) {
    const points = line.values.map((value, place) => [(1000 * times[place]) / answer.duration_sec, 96 - (92 * (value - low)) / (high - low || 1)]);
    const whole = [[0, points[0][1]], ...points, [1000, points.at(-1)[1]]];
    const path = whole.map((point) => point.map((x) => x.toFixed(1)).join(",")).join(" ");
    picture.append(element("polyline", { points: path, class: colorOf(answer, line.text) }));
  }
  const axis = element("div", { className: "lane-name y-axis" },
    element("span", {}, high.toFixed(3)), element("b", {}, "Similarity (cosine)"), element("span", {}, low.toFixed(3)));
  const legend = lines.map((line) => element("span", {}, element("i", { className: `key ${colorOf(answer, line.text)}` }), short(line.text)));
  target.replaceChildren(axis, track(answer, [picture], seek),
    element("p", { className: "legend" }, ...legend));
}
