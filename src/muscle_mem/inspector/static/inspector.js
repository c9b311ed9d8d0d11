// Keys for the pages, and the live page. All else works without this script.
"use strict";

(() => {
  const isTyping = (target) => target.closest("input, textarea, select") !== null;
  let pending = false;

  const move = (by) => {
    const items = [...document.querySelectorAll("[data-item]")];
    if (!items.length) return;
    const at = items.indexOf(document.activeElement && document.activeElement.closest("[data-item]"));
    const next = items[Math.min(items.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    const link = next.querySelector("a[href]");
    if (link) {
      link.focus({ preventScroll: true });
    } else {
      next.tabIndex = -1;
      next.focus({ preventScroll: true });
    }
    next.scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (pending) {
      pending = false;
      const page = document.querySelector(`nav [data-key="${CSS.escape(event.key)}"]`);
      if (page) page.click();
    } else if (event.key === "g") {
      pending = true;
      setTimeout(() => { pending = false; }, 1500);
    } else if (event.key === "/") {
      event.preventDefault();
      document.querySelector(".search input").focus();
    } else if (event.key === "j" || event.key === "k") {
      move(event.key === "j" ? 1 : -1);
    }
  });

  const live = document.getElementById("live");
  if (!live) return;
  const state = document.getElementById("live-state");
  const body = document.querySelector("#runs tbody");
  const say = (text) => { if (state.textContent !== text) state.textContent = text; };

  const cell = (row, ...parts) => {
    const made = document.createElement("td");
    made.append(...parts);
    row.append(made);
    return made;
  };
  const link = (href, text) => {
    const made = document.createElement("a");
    made.href = href;
    made.textContent = text;
    return made;
  };

  // Stored texts are set as text, never as markup.
  const show = (run) => {
    const row = document.createElement("tr");
    row.dataset.item = "";
    row.className = "new";
    cell(row, run.at).className = "nowrap";
    const chip = document.createElement("span");
    chip.className = `chip ${["hit", "miss", "diverged", "raised"].includes(run.status) ? run.status : "odd"}`;
    chip.textContent = run.status;
    cell(row, chip, " ", link(run.url, run.reason));
    const text = document.createElement("bdi");
    text.textContent = run.task;
    cell(row, run.task_url ? Object.assign(link(run.task_url, ""), { className: "plain" }) : text).className = "wide";
    if (run.task_url) row.querySelector("a.plain").append(text);
    cell(row, run.where);
    body.prepend(row);
    while (body.rows.length > 200) body.lastElementChild.remove();
    const none = document.getElementById("no-runs");
    if (none) none.remove();
  };

  const source = new EventSource(`/runs/live?after=${encodeURIComponent(live.dataset.after)}`);
  source.addEventListener("open", () => say("live"));
  source.addEventListener("error", () => say("not connected; trying again"));
  source.addEventListener("run", (event) => { say("live"); show(JSON.parse(event.data)); });
  source.addEventListener("trouble", (event) => say(`the store failed: ${JSON.parse(event.data).what}`));
  source.addEventListener("counts", (event) => {
    say("live");
    const counts = JSON.parse(event.data);
    for (const [name, value] of Object.entries(counts)) {
      const place = document.getElementById(`count-${name}`);
      if (place) place.textContent = value;
    }
  });
})();
