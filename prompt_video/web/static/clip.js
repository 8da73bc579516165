// One video: choose it, ask about it, and go through the answer.

import { breakable, cell, clock, colorOf, element, short, table } from "./drawing.js";
import { ask, Mistakes, upload } from "./server.js";
import { drawCurve, drawLanes } from "./timeline.js";
import { busy, forget, tell } from "./telling.js";

const $ = (selector) => document.querySelector(selector);

let arriving = null; // the promise of the word for the video that was chosen
let answer = null;
let stop = null;

export function askAboutClip() {
  $("#file").addEventListener("change", () => $("#file").files.length && choose($("#file").files[0]));
  for (const kind of ["dragover", "dragleave", "drop"]) $("#ask").addEventListener(kind, dragged);
  $("#ask").addEventListener("submit", (event) => {
    event.preventDefault();
    score();
  });
  $("#texts").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("#ask").requestSubmit();
  });
  $("#fill")?.addEventListener("click", () => {
    $("#texts").value = JSON.parse($("#fill").dataset.names).join("\n");
    $("#texts").focus();
  });
  $("#stop").addEventListener("click", () => stop?.abort());
  $("#min-score").addEventListener("input", drawSegments);
  $("#overlapping").addEventListener("change", drawSegments);
  const player = $("#player");
  player.addEventListener("timeupdate", () => {
    if (answer) $("#when").style.setProperty("--now", Math.min(1, player.currentTime / answer.duration_sec));
  });
  player.addEventListener("error", showCopy);
  player.addEventListener("loadedmetadata", () => player.videoWidth || showCopy()); // sound alone
}

function dragged(event) {
  event.preventDefault();
  $("#drop").classList.toggle("over", event.type === "dragover");
  if (event.type === "drop" && event.dataTransfer.files.length) choose(event.dataTransfer.files[0]);
}

/** Show a file and hand it over; what was known of another one goes. */
function choose(file) {
  forget("video", "work");
  stop?.abort(); // what is asked about another one
  answer = stop = null;
  $("#stop").hidden = true;
  $("#result").hidden = true;
  $("#file-name").replaceChildren(...breakable(file.name));
  const most = Number($("#file").dataset.maxMb);
  if (file.size > most * 1e6) {
    arriving = null;
    showPlayer(null);
    const message = `The video has ${Math.round(file.size / 1e6)} MB; up to ${most} MB are taken (--max_size).`;
    return tell(new Mistakes([{ about: "video", message }]), "video");
  }
  showPlayer(URL.createObjectURL(file));
  const own = hand(file);
  arriving = own;
  own.catch((error) => {
    if (arriving !== own) return;
    arriving = null;
    showPlayer(null);
    tell(error, "video");
  });
}

async function hand(file) {
  const bar = $("#bar");
  busy($("#status"), bar, "The video is being read…");
  try {
    const taken = await upload(file, (share) => (bar.value = share));
    busy($("#status"), bar, "");
    $("#status").textContent = `The video is here: ${clock(taken.duration_sec)} long.`;
    return taken.video;
  } catch (error) {
    busy($("#status"), bar, "");
    throw error;
  }
}

function showPlayer(url, kind = "file") {
  const player = $("#player");
  if (player.src.startsWith("blob:")) URL.revokeObjectURL(player.src);
  player.dataset.kind = kind;
  player.hidden = !url;
  $("#drop").classList.toggle("small", Boolean(url));
  if (url) player.src = url;
  else player.removeAttribute("src");
}

/** A file that this browser does not play is shown as a copy that the server makes. */
async function showCopy() {
  const player = $("#player");
  if (player.dataset.kind !== "file" || !player.src || !arriving) return;
  player.dataset.kind = "none";
  const word = await arriving.catch(() => null);
  if (!word) return;
  const copy = await fetch(`videos/${word}/copy.mp4`);
  if (copy.ok) showPlayer(URL.createObjectURL(await copy.blob()), "copy");
  else {
    showPlayer(null);
    tell(new Mistakes((await copy.json()).mistakes), "video");
  }
}

async function score() {
  forget("video", "texts", "work");
  stop?.abort();
  const own = new AbortController();
  stop = own;
  const bar = $("#bar");
  try {
    const video = arriving ? await arriving.catch(() => null) : null;
    if (own.signal.aborted) return;
    $("#stop").hidden = false;
    busy($("#status"), bar, "Looking at the video…");
    answer = await ask("scores", { video, texts: $("#texts").value }, (share) => (bar.value = share), own.signal);
    busy($("#status"), bar, "");
    draw();
    $("#status").textContent = `Done: ${said()}`;
  } catch (error) {
    if (stop !== own) return;
    busy($("#status"), bar, "");
    if (error.name === "AbortError") $("#status").textContent = "Stopped.";
    else tell(error, "work");
  } finally {
    if (stop === own) $("#stop").hidden = true;
  }
}

const said = () => {
  const [best] = answer.ranked;
  if (answer.verdict && !answer.verdict.is_known) return "None of these. The details stand below.";
  if (answer.verdict?.labels) return `The video shows ${answer.verdict.labels.map((text) => short(text)).join(", ")}. The details stand below.`;
  return `${short(best.text)} fits best, at ${(100 * best.probability).toFixed(0)} %. The details stand below.`;
};

function draw() {
  $("#result").hidden = false;
  $("#when").hidden = !answer.method;
  drawCurve($("#curve"), answer, goTo);
  drawRanking();
  drawSegments();
}

function drawRanking() {
  const { verdict } = answer;
  $("#verdict").hidden = !verdict || verdict.is_known;
  if (verdict) {
    $("#verdict").textContent = `None of these: the confidence is ${verdict.confidence.toFixed(3)}, `
      + `and below ${verdict.threshold.toFixed(3)} a video shows none of the texts.`;
  }
  const rows = answer.ranked.map((one) => {
    const bar = element("i", { className: `bar ${colorOf(answer, one.text)}` });
    bar.style.width = `${100 * one.probability}%`;
    const mark = verdict?.labels?.includes(one.text) ? "✓ " : "";
    return [cell("text", mark, short(one.text), element("span", { className: "rail" }, bar)),
      cell("number", `${(100 * one.probability).toFixed(1)} %`), cell("number", one.similarity.toFixed(3))];
  });
  table($("#ranking"), "Texts by how well they fit the whole video",
    [["Text", "text"], ["Probability", "number"], [answer.similarity_name, "number"]], rows);
  const left = answer.num_texts - answer.ranked.length;
  $("#ranking-hint").textContent = (verdict?.labels
    ? `Each of these ${answer.num_texts} texts is answered by itself; ✓ marks what the video shows`
    : `Probabilities are among these ${answer.num_texts} texts and add up to 100 %`)
    + (left > 0 ? `; ${left.toLocaleString("en")} more are less likely.` : ".")
    + (verdict?.is_known && !verdict.labels ? ` The confidence is ${verdict.confidence.toFixed(3)}: ${verdict.rule}.` : "")
    + (answer.num_cut ? ` ${answer.num_cut} of them are too long for the model: only their beginning counts.` : "");
}

/** What the slider and the box choose, in the timeline, the table and the files. */
function drawSegments() {
  if (!answer) return;
  const least = Number($("#min-score").value);
  const overlapping = $("#overlapping").checked;
  $("#min-score-value").textContent = least.toFixed(2);
  const all = overlapping ? answer.segments : answer.apart;
  const shown = all.filter((one) => one.score >= least).sort((a, b) => a.start - b.start);
  drawLanes($("#timeline"), answer, shown, goTo);
  const rows = shown.map((one) => [
    cell("number", element("button", { type: "button", className: "time", onclick: () => goTo(one.start) }, clock(one.start))),
    cell("number", clock(one.end)),
    cell("text", element("i", { className: `key ${colorOf(answer, one.text)}` }), short(one.text)),
    cell("number", one.score.toFixed(2)),
  ]);
  table($("#segments"), "Segments in the order of the video",
    [["From", "number"], ["To", "number"], ["Text", "text"], ["Score", "number"]], rows);
  $("#segments").hidden = !rows.length;
  $("#segments-hint").textContent = hintOf(shown.length, all.length - shown.length);
  $("#when-hint").textContent = answer.curve ? `Similarity is that of spans of ${answer.curve.span_sec.toFixed(1)} s.` : "";
  drawDownloads(least, overlapping);
}

function hintOf(num_shown, num_left) {
  if (!answer.method) return "This model scores whole videos alone: it has no segments.";
  const none = num_shown ? "" : "Nothing reaches this score. ";
  const left = num_left ? `${num_left.toLocaleString("en")} more have a lower score. ` : "";
  return `${none}${left}Segments are ${answer.method}`;
}

function drawDownloads(least, overlapping) {
  const kinds = answer.method
    ? { srt: "Subtitles (.srt)", csv: "Table (.csv)", json: "All figures (.json)" }
    : { csv: "Table (.csv)", json: "All figures (.json)" };
  const links = Object.entries(kinds).map(([kind, name]) =>
    element("a", { href: `scores/${answer.id}/${kind}?min_score=${least}&overlapping=${overlapping}`, className: "quiet", download: "" }, name));
  $("#downloads").replaceChildren(...links);
}

/** Show a moment of the video. */
function goTo(seconds) {
  $("#player").currentTime = seconds;
  $("#when").style.setProperty("--now", seconds / answer.duration_sec);
  $("#status").textContent = `The video is at ${clock(seconds)}.`;
}
