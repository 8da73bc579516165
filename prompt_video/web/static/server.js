// What the page says to its server, and what comes back.

/** Why there is no answer: sentences, each about a part of the page. */
export class Mistakes extends Error {
  constructor(list) {
    super(list.map((one) => one.message).join(" "));
    this.list = list;
  }
}

const gone = () => new Mistakes([{ about: "work", message: "The page does not answer: does it still run in its terminal?" }]);

function mistakesOf(status, text) {
  try {
    return new Mistakes(JSON.parse(text).mistakes);
  } catch {
    return new Mistakes([{ about: "work", message: text || `The server answers ${status}.` }]);
  }
}

/** Hand over a file; `onProgress` hears the share that has arrived. */
export function upload(file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // unlike fetch, it tells of its progress
    request.open("POST", `videos?name=${encodeURIComponent(file.name)}`);
    request.upload.onprogress = (event) => onProgress(event.loaded / event.total);
    request.onerror = () => reject(gone());
    request.onload = () =>
      request.status === 200 ? resolve(JSON.parse(request.responseText)) : reject(mistakesOf(request.status, request.responseText));
    request.send(file);
  });
}

/** Ask, and wait for the answer; `onProgress` hears the share of the video that is done. */
export async function ask(path, question, onProgress, signal) {
  let answer, text;
  try {
    answer = await fetch(path, { method: "POST", body: JSON.stringify(question), signal });
    if (!answer.ok) throw mistakesOf(answer.status, await answer.text());
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = "", part = await reader.read(); !part.done; part = await reader.read()) {
      const lines = (rest + part.value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        text = JSON.parse(line);
        if (text.of) onProgress(text.done / text.of);
      }
    }
  } catch (error) {
    throw error instanceof Mistakes || error.name === "AbortError" ? error : gone();
  }
  if (text?.mistakes) throw new Mistakes(text.mistakes);
  if (!text?.answer) throw gone();
  return text.answer;
}
