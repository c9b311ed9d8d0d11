// Collects the visible things on the page, with names, states and places.
// It is loaded into every page before its scripts, and adds only window.demoLook.
window.demoLook = (() => {
  const HIDDEN = "#query, #reward-display, #click-canvas, #sync-task-cover";
  const refs = new WeakMap();
  let next = 1;

  const clean = (text) => (text || "").replace(/\s+/g, " ").trim();
  const words = (text) => clean((text || "").replace(/[-_]/g, " "));

  function ref(element) {
    if (!refs.has(element)) refs.set(element, next++);
    return refs.get(element);
  }

  function visible(element) {
    const box = element.getBoundingClientRect();
    if (box.width < 1 || box.height < 1 || element.closest(HIDDEN)) return false;
    return getComputedStyle(element).visibility !== "hidden";
  }

  function role(element) {
    const tag = element.tagName;
    if (tag === "BUTTON") return "button";
    if (tag === "A") return "link";
    if (tag === "SELECT") return "list";
    if (tag === "TEXTAREA") return "textbox";
    if (tag === "INPUT") return ["radio", "checkbox"].includes(element.type) ? element.type : "textbox";
    if (element.matches(".ui-menu-item")) return "option";
    const style = getComputedStyle(element);
    if (style.content.startsWith("url(")) return "icon";
    const parent = element.parentElement;
    if (style.cursor === "pointer" && parent && getComputedStyle(parent).cursor !== "pointer") return "item";
    return "";
  }

  // The nearest text before a field serves as its label if it does not have one.
  function textBefore(element) {
    const root = document.getElementById("area") || document.body;
    const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    let last = "";
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      if (element.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING) break;
      if (node.parentElement.closest("style, script, button, option, " + HIDDEN)) continue;
      if (clean(node.data)) last = clean(node.data);
    }
    return last;
  }

  function name(element, kind) {
    const said = element.getAttribute("aria-label") || element.getAttribute("placeholder");
    if (said) return clean(said);
    if (kind === "icon") {
      const own = [element.id, ...element.classList].filter((word) => word && !["icon", "clicked"].includes(word));
      return own.length ? words(own[0]) : clean(element.parentElement.innerText);
    }
    if (["textbox", "list", "radio", "checkbox"].includes(kind)) {
      const beside = element.previousElementSibling;
      const label = element.labels && element.labels.length ? element.labels[0] : beside && beside.matches("label") ? beside : null;
      return (label && clean(label.innerText)) || words(element.id) || textBefore(element);
    }
    return clean((element.innerText || "").trim().split("\n")[0]);
  }

  // The card of a thing is its largest parent that does not contain another thing of its role.
  function card(element, all) {
    let part = element;
    for (let up = part.parentElement; up && up !== document.body && up.id !== "area"; up = up.parentElement) {
      if (all.some((other) => other !== element && up.contains(other))) break;
      part = up;
    }
    return clean(part.innerText);
  }

  // Places are measured in the content, so that scrolling does not change them.
  function place(element) {
    const box = element.getBoundingClientRect();
    let left = box.left + window.scrollX, top = box.top + window.scrollY;
    for (let up = element.parentElement; up && up !== document.body; up = up.parentElement) {
      left += up.scrollLeft;
      top += up.scrollTop;
    }
    return [Math.round(left), Math.round(top)];
  }

  function state(element, kind) {
    if (kind === "radio" || kind === "checkbox") return element.checked ? "checked" : "";
    if (kind === "list") return element.selectedOptions.length ? clean(element.selectedOptions[0].text) : "";
    return kind === "textbox" ? element.value : "";
  }

  function things() {
    const found = {};
    for (const element of document.body.querySelectorAll("*")) {
      if (!visible(element)) continue;
      const kind = role(element);
      if (kind) (found[kind] = found[kind] || []).push(element);
    }
    return found;
  }

  function all() {
    const found = things(), result = [];
    for (const kind of Object.keys(found)) {
      found[kind].forEach((element, at) => result.push({
        ref: ref(element),
        role: kind,
        tag: element.tagName.toLowerCase(),
        name: name(element, kind),
        nth: at + 1,
        place: place(element),
        state: state(element, kind),
        options: kind === "list" ? [...element.options].map((option) => clean(option.text)) : [],
        card: ["button", "icon", "link"].includes(kind) ? card(element, found[kind]) : "",
      }));
    }
    return result;
  }

  function element(wanted) {
    for (const one of document.body.querySelectorAll("*")) if (refs.get(one) === wanted) return one;
    return null;
  }

  // Scrolls the thing into view and returns the position to click, and what covers it there.
  function point(wanted) {
    const aim = element(wanted);
    aim.scrollIntoView({ block: "nearest", inline: "nearest" });
    const box = aim.getClientRects()[0];
    const x = box.left + box.width / 2, y = box.top + box.height / 2;
    const under = document.elementFromPoint(x, y);
    let met = under;
    while (met && met !== aim && !role(met)) met = met.parentElement;
    return { x, y, covered: met === aim ? "" : under ? clean(under.tagName.toLowerCase() + " " + under.id) : "nothing" };
  }

  function task() {
    return {
      instruction: clean(document.getElementById("query").textContent),
      done: WOB_DONE_GLOBAL,
      reward: WOB_RAW_REWARD_GLOBAL,
    };
  }

  function start(seed) {
    core.EPISODE_MAX_TIME = 3600 * 1000;
    Math.seedrandom(seed);
    core.startEpisodeReal();
  }

  // Icons from the style sheet have no size until their file is loaded, and no event reports that.
  function undrawn() {
    return [...document.body.querySelectorAll("*")].some((element) => {
      if (element.closest(HIDDEN) || !getComputedStyle(element).content.startsWith("url(")) return false;
      const box = element.getBoundingClientRect();
      return element.getClientRects().length > 0 && (box.width < 1 || box.height < 1);
    });
  }

  const frame = () => new Promise(requestAnimationFrame);

  // Waits two frames for pending updates, then until all icons are drawn; false if that never happens.
  async function settled() {
    await frame();
    await frame();
    for (let tries = 0; undrawn(); tries++) {
      if (tries > 600) return false;
      await frame();
    }
    return true;
  }

  return { settled, all, element, point, task, start, look: () => ({ ...task(), things: all() }) };
})();
