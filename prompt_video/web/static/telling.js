// Errors beside what they are about, and what is going on, for eyes and for screen readers.

const FIELDS = { video: "#file", texts: "#texts", query: "#query", examples: ".action-name" };

/** Take away what was said of these parts of the page. */
export function forget(...parts) {
  for (const part of parts) {
    document.querySelector(`#${part}-error`).textContent = "";
    document.querySelector(FIELDS[part] ?? null)?.removeAttribute("aria-invalid");
  }
}

/** Say each mistake once, beside its part, and go to the first one that can be mended; what has no part stands at `fallback`. */
export function tell(error, fallback) {
  const list = error.list ?? [{ about: fallback, message: `Something went wrong on this page: ${error.message}` }];
  let first;
  for (const { about, message } of list) {
    const place = about in FIELDS ? about : fallback;
    document.querySelector(`#${place}-error`).textContent = message;
    const field = FIELDS[place] && document.querySelector(FIELDS[place]);
    field?.setAttribute("aria-invalid", "true");
    first ??= field;
  }
  first?.focus();
}

/** A line that screen readers speak when it changes, and a bar that only eyes see change. */
export function busy(status, bar, text) {
  status.textContent = text;
  if (!bar) return;
  bar.hidden = !text;
  bar.removeAttribute("value"); // moves until a share is known
}
