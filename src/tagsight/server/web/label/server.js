// Requests below /label, in the name of the person who judges. The address names them: ?as=NAME.

import { ask, onTokenNeeded, RequestError } from "../api.js";

const KEY = "tagsight-person";
const FULL = 507;
const asked = new URLSearchParams(location.search);
if (asked.has("as")) sessionStorage.setItem(KEY, asked.get("as"));

/** The name of the person at this tab. */
export const person = sessionStorage.getItem(KEY) || "me";

// The token has become a cookie: it need not stay in the address, where it can be read or shared.
if (asked.has("token")) {
  asked.delete("token");
  history.replaceState(null, "", `${location.pathname}${asked.size ? `?${asked}` : ""}`);
}

onTokenNeeded(() => {
  throw new RequestError("The server was started again: open the address that it printed.", 401);
});

/** Request something; the answer is a Response. */
export async function request(path, options = {}) {
  try {
    return await ask(`/label/${path}`, options);
  } catch (error) {
    if (error.status === FULL) error.message = "The disk is full: free some space.";
    throw error;
  }
}

/** Request JSON. */
export const get = async (path, options) => (await request(path, options)).json();

/**
 * Send JSON and get JSON, or null from an answer without content.
 * @param {string} key By which the server knows a request that is sent again; empty for none.
 * @param {string} as In whose name.
 */
export async function send(method, path, body = {}, key = "", as = person) {
  const headers = { "Content-Type": "application/json", ...(key ? { "Idempotency-Key": key } : {}) };
  const answer = await request(`${path}?${new URLSearchParams({ as })}`, { method, body: JSON.stringify(body), headers });
  return answer.status === 204 ? null : answer.json();
}

export const thumbnail = (photo) => `/label/photos/${photo}/thumbnail`;
export const picture = (photo) => `/label/photos/${photo}/picture`;
