// The page begins: a token if the server asks for one, then the model, then its views.

import { json, onTokenNeeded } from "./api.js";
import { showCard } from "./card_view.js";
import { byId } from "./dom.js";
import { showGraph } from "./graph_view.js";
import { startPhotos } from "./photos_view.js";
import { startSearch } from "./search_view.js";
import { startTabs } from "./tabs.js";

function tell(error) {
  byId("trouble-text").textContent = error.message;
  byId("trouble").hidden = false;
}

const hush = () => {
  byId("trouble").hidden = true;
};

function askForToken(again) {
  const dialog = byId("token-dialog");
  byId("token-text").textContent = again ? "That was not the token; try another one." : "It is kept until this tab is closed.";
  byId("token").value = "";
  dialog.showModal();
  return new Promise((done) => {
    dialog.oncancel = (event) => event.preventDefault();
    byId("token-form").onsubmit = () => done(byId("token").value.trim());
  });
}

async function start() {
  byId("trouble-close").addEventListener("click", hush);
  onTokenNeeded(askForToken);
  startTabs(hush);
  try {
    const model = await json("/v1/model");
    byId("model-line").textContent = `${model.recipe} · ${model.labels.length} labels`;
    showGraph(model);
    showCard(byId("card"), model.card);
    startPhotos(model, tell);
    if (model.indexed !== null) startSearch(model, tell);
  } catch (error) {
    tell(error);
  }
}

start();
