// Elements, numbers and colours. Text is only ever set as text, so that no name of a class or a file becomes HTML.

/** An element with properties (attributes where they have a dash or no property) and children. */
export function element(name, properties = {}, ...children) {
  const made = name === "svg" || name === "polyline" || name === "line"
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made && !(made instanceof SVGElement)) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** m:ss.t, or h:mm:ss.t */
export function clock(seconds, tenths = true) {
  const whole = Math.round(seconds * 10);
  const minutes = Math.floor(whole / 600);
  const rest = ((whole % 600) / 10).toFixed(1).padStart(4, "0");
  const hours = Math.floor(minutes / 60);
  const text = hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
  return tenths ? text : text.slice(0, -2);
}

const LONG = 120;

/** A text of one's own in the room that there is. */
export const short = (text) => (text.length > LONG ? `${text.slice(0, LONG - 1).trimEnd()}…` : text);

/** A name that may be broken behind its signs, so that no line breaks inside of a word. */
export const breakable = (name) => name.split(/(?<=[_./-])/).flatMap((part) => [part, element("wbr")]);

/** The class that colours a text, the same in the timeline, the curve and the tables. */
export const colorOf = (answer, text) => {
  const place = answer.drawn.indexOf(text);
  return place >= 0 ? `color-${place}` : "color-other";
};

export function table(target, caption, heads, rows) {
  const head = heads.map(([text, kind]) => element("th", { scope: "col", className: kind }, text));
  target.replaceChildren(
    element("caption", { className: "unseen" }, caption),
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells))),
  );
}

export const cell = (kind, ...children) => element("td", { className: kind }, ...children);
