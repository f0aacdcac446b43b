// Requests to the server. The token, if there is one, is kept until the tab is closed.

const KEY = "tagsight-token";

/** What is said when there is no answer. */
export const AWAY = "The server does not respond. Is it still running?";

let askForToken = async () => "";

/** Set the function that asks the user for a token and returns a promise of it. */
export function onTokenNeeded(ask) {
  askForToken = ask;
}

/** A request that failed; `told` is the server's answer, and `status` is null if there was none. */
export class RequestError extends Error {
  constructor(message, status = null, told = {}) {
    super(message);
    this.status = status;
    this.told = told;
  }

  /** Whether the same request may succeed later. */
  get passes() {
    return this.status === null || this.status >= 500 || [408, 429].includes(this.status);
  }
}

/**
 * Send a request, and repeat it when the server needs a token or is busy.
 * @returns {Promise<Response>} A successful response; otherwise a RequestError with the server's message.
 */
export async function ask(path, options = {}) {
  for (let tries = 0; ; tries += 1) {
    const response = await send(path, options);
    if (response.ok) return response;
    if (response.status === 401) {
      sessionStorage.setItem(KEY, await askForToken(sessionStorage.getItem(KEY) !== null));
    } else if (response.status === 429 && tries < 30) {
      await pause(1000 * Number(response.headers.get("Retry-After") || 1));
    } else {
      const told = await answer(response);
      throw new RequestError(told.error?.replace(/^photo: /, "") || `The server responded with status ${response.status}.`, response.status, told);
    }
  }
}

export const json = async (path, options) => (await ask(path, options)).json();

/** Load a picture, which may need the token, and return a URL for it. */
export async function picture(path) {
  return URL.createObjectURL(await (await ask(path)).blob());
}

/** Make a request with one photo. */
export function withPhoto(file) {
  const body = new FormData();
  body.append("photos", file, file.name || "pasted.png");
  return { method: "POST", body };
}

async function send(path, options) {
  const token = sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  try {
    return await fetch(path, { ...options, headers });
  } catch {
    throw new RequestError(AWAY);
  }
}

async function answer(response) {
  try {
    return await response.json();
  } catch {
    return {};
  }
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
