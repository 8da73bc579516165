// Search: pictures of the moments that fit, each of which plays when it is chosen.

import { breakable, element } from "./drawing.js";
import { ask } from "./server.js";
import { busy, forget, tell } from "./telling.js";

const $ = (selector) => document.querySelector(selector);

export function askIndex() {
  $("#seek")?.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
}

async function search() {
  forget("query");
  busy($("#search-status"), null, "Searching…");
  try {
    const answer = await ask("hits", { query: $("#query").value }, () => {});
    const cut = answer.truncated ? " The text is too long for the model: only its beginning counts." : "";
    $("#hits").replaceChildren(...answer.hits.map((hit, place) => card(answer.id, hit, place + 1)));
    busy($("#search-status"), null, `Done: ${answer.hits.length} moments, best first. Choose one to play it.${cut}`);
  } catch (error) {
    busy($("#search-status"), null, "");
    $("#hits").replaceChildren();
    tell(error, "query");
  }
}

function card(word, hit, rank) {
  const picture = element("img", { src: `hits/${word}/${rank}.jpg`, alt: "", loading: "lazy", className: "picture" });
  picture.addEventListener("error", () => picture.replaceWith(element("span", { className: "picture missing" }, "No picture: is the file still there?")));
  const made = element("button", { type: "button", className: "hit" },
    picture,
    element("span", { className: "name" }, `${rank}. `, ...breakable(hit.name)),
    element("span", { className: "facts" }, element("span", {}, hit.span), element("span", {}, `similarity ${hit.score.toFixed(3)}`)));
  made.addEventListener("click", () => play(made, `hits/${word}/${rank}.mp4`, hit));
  return made;
}

/** Put a player in the place of the picture. */
function play(made, url, hit) {
  for (const other of document.querySelectorAll(".hit-open")) other.replaceWith(other.closed);
  const player = element("video", { src: url, controls: true, autoplay: true, muted: true, playsInline: true, className: "picture" });
  player.setAttribute("aria-label", `${hit.name}, ${hit.span}`);
  const open = element("div", { className: "hit hit-open" }, player, ...[...made.children].slice(1).map((one) => one.cloneNode(true)));
  open.closed = made;
  player.addEventListener("error", async () => {
    const answer = await fetch(url);
    const told = answer.ok ? "Your browser cannot play this moment." : (await answer.json()).mistakes[0].message;
    player.replaceWith(element("p", { className: "picture missing", role: "alert" }, told));
  });
  made.replaceWith(open);
  player.focus();
}
