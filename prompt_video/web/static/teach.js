// Teach by example: actions with a few clips each, what was learned of them, and labels that can be corrected.

import { breakable, cell, element, short, table } from "./drawing.js";
import { ask, Mistakes, upload } from "./server.js";
import { busy, forget, tell } from "./telling.js";

const $ = (selector) => document.querySelector(selector);
const clips = (count) => (count === 1 ? "1 clip is" : `${count} clips are`);
const NONE = "none of these";
const VIDEOS = /\.(mp4|m4v|mov|webm|mkv|avi|flv|mpe?g|ts|wmv|3gp|ogv)$/i;

const actions = []; // { name: input, list: element, clips, node }
const rest = { clips: [] };
let queue = Promise.resolve(); // clips arrive one after another
let stop = null;

export function teach() {
  addAction();
  addAction();
  $("#add-action").addEventListener("click", () => addAction().name.focus());
  $("#folder").addEventListener("change", () => takeFolder([...$("#folder").files]));
  takesFiles($("#rest"), $("#rest-drop"), (files) => {
    rest.clips.push(...files.map(newClip));
    tellRest();
  });
  $("#lesson").addEventListener("submit", (event) => {
    event.preventDefault();
    learn();
  });
  $("#teach-stop").addEventListener("click", () => stop?.abort());
  $("#again").addEventListener("click", () => {
    takeCorrections();
    learn();
  });
}

/** Hear of files that are chosen in a field, or dropped around it. */
function takesFiles(field, drop, take) {
  const chosen = (files) => take([...files].filter((file) => file.type.startsWith("video/") || VIDEOS.test(file.name)));
  field.addEventListener("change", () => {
    chosen(field.files);
    field.value = ""; // the same file may be chosen again
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
      if (kind === "drop") chosen(event.dataTransfer.files);
    });
  }
}

function addAction(text = "") {
  const number = addAction.count = (addAction.count ?? 0) + 1;
  const name = element("input", { className: "action-name", id: `action-${number}`, value: text, autocomplete: "off" });
  name.setAttribute("aria-describedby", "examples-error");
  const field = element("input", { type: "file", className: "unseen", id: `clips-${number}`, multiple: true, accept: "video/*,.avi,.mkv,.flv,.mpg,.ts,.wmv" });
  const drop = element("label", { className: "drop small", htmlFor: field.id }, field,
    element("span", { className: "drop-text" }, element("b", {}, "Choose clips"), element("span", { className: "unseen" }, ` of action ${number}`), " or drop them here"));
  const list = element("ul", { className: "clips" });
  const node = element("li", { className: "card action" }, element("label", { htmlFor: name.id }, `Action ${number}`), name, drop, list);
  const action = { name, list, node, clips: [] };
  takesFiles(field, drop, (files) => files.forEach((file) => putInto(action, newClip(file))));
  $("#actions").append(node);
  actions.push(action);
  return action;
}

function newClip(file) {
  const clip = { file, url: URL.createObjectURL(file), word: null, error: "" };
  clip.arriving = queue = queue.then(async () => {
    try {
      clip.word = (await upload(file, () => {})).video;
    } catch (error) {
      clip.error = error.message;
      clip.node?.classList.add("bad");
      clip.node?.querySelector(".name").replaceChildren(`${file.name}: ${error.message}`);
    }
    tellRest();
  });
  return clip;
}

const picture = (clip) => element("video", { src: `${clip.url}#t=0.1`, muted: true, preload: "metadata", playsInline: true, tabIndex: -1, ariaHidden: "true" });

function putInto(action, clip) {
  const remove = element("button", { type: "button", className: "remove", "aria-label": `Remove ${clip.file.name}` }, "×");
  clip.node = element("li", clip.error ? { className: "bad" } : {}, picture(clip), element("span", { className: "name" }, ...breakable(clip.error || clip.file.name)), remove);
  remove.addEventListener("click", () => {
    action.clips.splice(action.clips.indexOf(clip), 1);
    clip.node.remove();
    action.name.focus();
  });
  action.clips.push(clip);
  action.list.append(clip.node);
}

/** The action of a name; an empty card is filled before one is added. */
function actionCalled(text) {
  const called = actions.find((one) => one.name.value.trim() === text);
  const empty = actions.find((one) => !one.name.value.trim() && !one.clips.length);
  if (!called && empty) empty.name.value = text;
  return called ?? empty ?? addAction(text);
}

/** Clips in folders of their actions; what lies in no such folder is left. */
function takeFolder(files) {
  let count = 0;
  for (const file of files.sort((a, b) => a.webkitRelativePath.localeCompare(b.webkitRelativePath))) {
    const parts = file.webkitRelativePath.split("/");
    if (parts.length < 3 || !VIDEOS.test(file.name)) continue;
    putInto(actionCalled(parts.at(-2).replaceAll("_", " ")), newClip(file));
    count += 1;
  }
  $("#teach-status").textContent = count ? `${count} clips were taken from the folder.` : "In this folder are no folders with clips.";
}

function tellRest() {
  const bad = rest.clips.filter((clip) => clip.error);
  const here = rest.clips.filter((clip) => clip.word).length;
  if (!rest.clips.length) return;
  $("#rest-hint").textContent = `${here === rest.clips.length ? "" : `${here} of `}${clips(rest.clips.length)} here.`
    + bad.map((clip) => ` ${clip.file.name}: ${clip.error}`).join("");
}

async function learn() {
  forget("examples");
  stop?.abort();
  const own = new AbortController();
  stop = own;
  const [status, bar] = [$("#teach-status"), $("#teach-bar")];
  busy(status, bar, "The clips are being read…");
  $("#teach-stop").hidden = false;
  try {
    await queue;
    if (own.signal.aborted) return;
    const examples = actions.flatMap((one) => one.clips.filter((clip) => clip.word).map((clip) => ({ video: clip.word, class: one.name.value })));
    const words = rest.clips.filter((clip) => clip.word).map((clip) => clip.word);
    busy(status, bar, "Learning from the clips, and labelling the others…");
    const began = performance.now();
    const answer = await ask("lessons", { examples, rest: words }, (share) => {
      bar.value = share;
      const left = ((performance.now() - began) / 1000) * (1 / Math.max(share, 0.001) - 1);
      $("#teach-left").textContent = share > 0.05 ? `about ${left < 90 ? `${Math.ceil(left)} s` : `${Math.round(left / 60)} min`} left` : "";
    }, own.signal);
    draw(answer);
    busy(status, bar, "");
    status.textContent = `Done: ${answer.held_out ?? "nothing could be held out"}. ${clips(answer.labels.length)} labelled.`;
    $("#known-title").scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (stop !== own) return;
    busy(status, bar, "");
    if (error.name === "AbortError") status.textContent = "Stopped.";
    else tell(error.list ? new Mistakes(error.list.map((one) => ({ ...one, about: "examples" }))) : error, "examples");
  } finally {
    if (stop === own) {
      $("#teach-stop").hidden = true;
      $("#teach-left").textContent = "";
    }
  }
}

function draw(answer) {
  $("#taught").hidden = false;
  $("#known-hint").textContent = answer.held_out
    ? `${answer.held_out}: none of them was learned from when it was asked about. Learned with ${answer.title}, the best of ${Object.keys(answer.tried).length} methods on them.`
    : "No action has two clips, so that none could be held out to see how well it is known.";
  const rows = answer.classes.map((one) => [cell("text", short(one.class)), cell("number", one.examples),
    cell("number", answer.held_out ? `${one.right} of ${one.held_out}` : "–")]);
  table($("#known"), "Actions, and how many of their clips were named rightly while held out",
    [["Action", "text"], ["Clips", "number"], ["Right when held out", "number"]], rows);
  const told = [...answer.told, ...(answer.none_of_these ? [`None of these: ${answer.none_of_these}.`] : [])];
  $("#told").replaceChildren(...told.map((sentence) => element("li", {}, sentence)));
  $("#lesson-downloads").replaceChildren(
    element("a", { href: `lessons/${answer.id}/model.ckpt`, className: "quiet", download: "taught.ckpt" }, "Model (.ckpt)"),
    element("a", { href: `lessons/${answer.id}/labels.csv`, className: "quiet", download: "labels.csv" }, "Labels (.csv)"));
  drawLabels(answer);
}

/** The least sure first, since those are worth a look. */
function drawLabels(answer) {
  const clipOf = new Map(rest.clips.map((clip) => [clip.word, clip]));
  const names = [...answer.classes.map((one) => one.class), NONE];
  const shown = answer.labels.filter((one) => clipOf.has(one.video)).sort((a, b) => a.best[0].probability - b.best[0].probability);
  $("#labels").replaceChildren(...shown.map((one) => labelled(clipOf.get(one.video), one, names)));
  $("#labels-hint").textContent = shown.length
    ? "The least sure first. Correct a label, and its clip becomes an example of the next lesson."
    : "Choose clips to label above, and teach again: what is known of all clips is kept.";
  countCorrections();
}

function labelled(clip, one, names) {
  const label = one.label ?? NONE;
  const choice = element("select", { id: `label-${clip.word}` },
    ...names.map((name) => element("option", { value: name, selected: name === label }, short(name))));
  const player = element("video", { src: `${clip.url}#t=0.1`, className: "picture", controls: true, muted: true, preload: "metadata", playsInline: true });
  player.setAttribute("aria-label", clip.file.name);
  const beside = one.best.map((best) => `${short(best.text)} ${(100 * best.probability).toFixed(0)}\u00a0%`).join(", ");
  const node = element("li", { className: "hit" }, player, element("span", { className: "name" }, ...breakable(clip.file.name)),
    element("label", { htmlFor: choice.id }, element("span", { className: "unseen" }, `Label of ${clip.file.name}`), choice), element("span", { className: "facts" }, beside));
  clip.corrected = null;
  choice.addEventListener("change", () => {
    clip.corrected = choice.value === label ? null : choice.value;
    node.classList.toggle("corrected", clip.corrected !== null);
    countCorrections();
  });
  return node;
}

function countCorrections() {
  const count = rest.clips.filter((clip) => clip.corrected).length;
  $("#again").hidden = !count;
  $("#again").textContent = `Teach again with ${count} correction${count === 1 ? "" : "s"}`;
}

/** Corrected clips become examples. */
function takeCorrections() {
  for (const clip of rest.clips.filter((one) => one.corrected)) {
    putInto(actionCalled(clip.corrected === NONE ? "none" : clip.corrected), clip);
    clip.corrected = null;
  }
  rest.clips = rest.clips.filter((clip) => !clip.node);
  tellRest();
}
