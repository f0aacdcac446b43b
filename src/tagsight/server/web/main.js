// Start of the page: get a token if the server needs one, then the model, then show the views.

import { json, onTokenNeeded } from "./api.js";
import { showCard } from "./card_view.js";
import { amount, byId } from "./dom.js";
import { GraphView } from "./graph_view.js";
import { HitDialog } from "./hit_dialog.js";
import { startPhotos } from "./photos_view.js";
import { SearchView } from "./search_view.js";
import { startTabs } from "./tabs.js";

/** Show an error until it is closed or the next action; null hides it. */
function showError(error) {
  byId("trouble-text").textContent = error?.message ?? "";
  byId("trouble").hidden = error === null;
}

const hideError = () => showError(null);

function askForToken(again) {
  const dialog = byId("token-dialog");
  byId("token-text").textContent = again ? "The token is wrong; try another one." : "The token is kept until this tab is closed.";
  byId("token").value = "";
  dialog.showModal();
  return new Promise((done) => {
    dialog.oncancel = (event) => event.preventDefault();
    byId("token-form").onsubmit = () => done(byId("token").value.trim());
  });
}

async function start() {
  byId("trouble-close").addEventListener("click", hideError);
  onTokenNeeded(askForToken);
  const views = {};
  startTabs((name) => {
    hideError();
    views[name]?.start();
  });
  try {
    const model = await json("/v1/model");
    byId("model-line").textContent = `${model.recipe} · ${amount(model.labels.length, "label")}`;
    views.graph = new GraphView(model);
    views.model = { start: () => byId("card").childElementCount || showCard(byId("card"), model.card) };
    const dialog = new HitDialog(model);
    startPhotos(model, dialog, showError);
    if (model.indexed !== null) views.search = new SearchView(dialog, showError);
    views[document.querySelector('[role="tab"][aria-selected="true"]').getAttribute("aria-controls")]?.start();
  } catch (error) {
    showError(error);
  }
}

start();
