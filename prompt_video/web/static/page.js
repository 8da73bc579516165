// The page: which part is shown, and the things that can be asked.

import { askAboutClip } from "./clip.js";
import { askIndex } from "./search.js";
import { teach } from "./teach.js";

/** The part of the page that the address names; a new part is a link in the header and a section in the page. */
function show() {
  const links = [...document.querySelectorAll("nav a")];
  const wanted = links.find((link) => link.hash === location.hash) ?? links[0];
  for (const link of links) {
    const here = link === wanted;
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    document.querySelector(link.hash).hidden = !here;
  }
}

addEventListener("hashchange", () => {
  show();
  document.querySelector("#main").focus({ preventScroll: true });
  scrollTo(0, 0);
});
show();
askAboutClip();
askIndex();
teach();
document.body.dataset.ready = "yes";
