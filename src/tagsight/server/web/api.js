// What is asked of the server. The token, if there is one, is kept until the tab is closed.

const KEY = "tagsight-token";
let askForToken = async () => "";

/** Say how a token is come by: a function that gives the promise of one. */
export function onTokenNeeded(ask) {
  askForToken = ask;
}

/**
 * Ask the server.
 * @returns {Promise<Response>} An answer that is one; otherwise an Error with the server's sentence.
 */
export async function ask(path, options = {}) {
  for (let tries = 0; ; tries += 1) {
    const answer = await sent(path, options);
    if (answer.ok) return answer;
    if (answer.status === 401) {
      sessionStorage.setItem(KEY, await askForToken(sessionStorage.getItem(KEY) !== null));
    } else if (answer.status === 429 && tries < 30) {
      await pause(1000 * Number(answer.headers.get("Retry-After") || 1));
    } else {
      throw new Error(await sentence(answer));
    }
  }
}

export const json = async (path, options) => (await ask(path, options)).json();

/** The address of a picture that only those with the token may see. */
export async function picture(path) {
  return URL.createObjectURL(await (await ask(path)).blob());
}

/** A request with one photo. */
export function withPhoto(file) {
  const body = new FormData();
  body.append("photos", file, file.name || "pasted.png");
  return { method: "POST", body };
}

async function sent(path, options) {
  const token = sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  try {
    return await fetch(path, { ...options, headers });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
}

async function sentence(answer) {
  try {
    return (await answer.json()).error || `The server answered ${answer.status}.`;
  } catch {
    return `The server answered ${answer.status}.`;
  }
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
