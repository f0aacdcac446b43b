// Tabs with the keyboard navigation of the ARIA practices: arrow keys, Home and End.

export function startTabs(onShown) {
  const all = () => [...document.querySelectorAll('[role="tab"]')].filter((tab) => !tab.hidden);

  function show(chosen) {
    for (const tab of all()) {
      const current = tab === chosen;
      tab.setAttribute("aria-selected", String(current));
      tab.tabIndex = current ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !current;
    }
    onShown(chosen.getAttribute("aria-controls"));
  }

  document.querySelector('[role="tablist"]').addEventListener("keydown", (event) => {
    const tabs = all();
    const place = tabs.indexOf(document.activeElement);
    const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const tab = tabs[(next + tabs.length) % tabs.length];
    tab.focus();
    show(tab);
  });
  for (const tab of document.querySelectorAll('[role="tab"]')) tab.addEventListener("click", () => show(tab));
}
