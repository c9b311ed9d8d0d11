// Collects what a person sees in the task's area: what look.js of the demo finds, and texts, headers and shapes besides.
// It is loaded into every page after look.js and adds only window.labLook. It reads what is drawn, never the page's variables.
window.labLook = (() => {
  const HIDDEN = "#query, #reward-display, #click-canvas, #sync-task-cover, script, style";
  const FIGURES = { rect: "rectangle", circle: "circle", polygon: "triangle", text: "text" };
  const refs = new WeakMap();
  let next = 1;

  const clean = (text) => (text || "").replace(/\s+/g, " ").trim();
  const words = (text) => clean((text || "").replace(/[-_]/g, " "));
  const ownText = (element) => clean([...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join(" "));

  function ref(element) {
    if (!refs.has(element)) refs.set(element, next++);
    return refs.get(element);
  }

  function visible(element) {
    if (element.closest(HIDDEN)) return false;
    const box = element.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) return false;
    const style = getComputedStyle(element);
    return style.visibility !== "hidden" && style.opacity !== "0";
  }

  function role(element) {
    const tag = element.tagName.toUpperCase();
    if (["BUTTON", "A", "SELECT", "TEXTAREA"].includes(tag)) return { BUTTON: "button", A: "link", SELECT: "list", TEXTAREA: "textbox" }[tag];
    if (tag === "INPUT") return ["radio", "checkbox"].includes(element.type) ? element.type : "textbox";
    if (["OPTION", "LABEL", "SVG"].includes(tag)) return "";
    if (element.ownerSVGElement) return tag.toLowerCase() in FIGURES && element.hasAttribute("fill") ? "shape" : "";
    if (element.matches(".ui-menu-item")) return "option";
    if (element.closest("button, a, select, label, .ui-menu-item")) return "";
    if (element.matches(".ui-slider-handle")) return "handle";
    if (element.matches(".ui-accordion-header")) return "header";
    const style = getComputedStyle(element);
    if (style.content.startsWith("url(") || (!element.innerText && style.backgroundImage.startsWith("url("))) return "icon";
    const parent = element.parentElement;
    if (style.cursor === "pointer" && parent && getComputedStyle(parent).cursor !== "pointer") return "item";
    return ownText(element) && !element.closest(".ui-accordion-header") ? "text" : "";
  }

  // A field without a label is named by the nearest text above, below or before it.
  function textNear(element) {
    const box = element.getBoundingClientRect();
    let best = "", least = 40;
    for (const other of document.body.querySelectorAll("#area *")) {
      if (!ownText(other) || !visible(other) || other.closest("button, option, textarea")) continue;
      const there = other.getBoundingClientRect();
      const down = Math.max(there.top - box.bottom, box.top - there.bottom, 0), across = Math.max(box.left - there.right, 0);
      if (down + across < least) [best, least] = [ownText(other), down + across];
    }
    return best;
  }

  function fieldName(element, kind) {
    const after = element.nextSibling, before = element.previousElementSibling;
    const own = element.labels && element.labels.length ? element.labels[0] : before && before.matches("label") ? before : null;
    if (own && clean(own.innerText)) return clean(own.innerText);
    if (["radio", "checkbox"].includes(kind)) return (after && after.nodeType === 3 && clean(after.data)) || words(element.id);
    return words(element.id) || textNear(element);
  }

  function shapeName(element) {
    const box = element.getBoundingClientRect(), kind = FIGURES[element.tagName.toLowerCase()];
    const size = kind === "text" ? parseFloat(getComputedStyle(element).fontSize) : box.width;
    const text = clean(element.textContent);
    const what = kind === "text" ? `${/\d/.test(text) ? "digit" : "letter"} ${text}` : kind;
    return `${size > 15 ? "large" : "small"} ${element.getAttribute("fill")} ${what}`;
  }

  function name(element, kind) {
    const said = element.getAttribute("aria-label") || element.getAttribute("placeholder");
    if (said) return clean(said);
    if (kind === "icon") return words([element.id, ...element.classList].find((word) => word && !["icon", "clicked", "active"].includes(word)) || element.parentElement.innerText);
    if (["textbox", "list", "radio", "checkbox"].includes(kind)) return fieldName(element, kind);
    if (kind === "shape") return shapeName(element);
    if (parseFloat(getComputedStyle(element).fontSize) < 1) return "";
    if (kind === "text") return ownText(element);
    return clean((element.innerText || "").trim().split("\n")[0]);
  }

  function state(element, kind) {
    if (kind === "radio" || kind === "checkbox") return element.checked ? "checked" : "";
    if (kind === "list") return [...element.selectedOptions].map((option) => clean(option.text)).join(", ");
    if (kind === "textbox") return element.value;
    return element.matches(".active, .clicked") || element.closest("[aria-selected=true], [aria-expanded=true]") ? "active" : "";
  }

  function all() {
    const found = {}, result = [];
    for (const element of document.body.querySelectorAll("*")) {
      const kind = visible(element) ? role(element) : "";
      if (kind) (found[kind] = found[kind] || []).push(element);
    }
    for (const kind of Object.keys(found)) {
      found[kind].forEach((element, at) => {
        const box = element.getBoundingClientRect();
        result.push({
          ref: ref(element),
          role: kind,
          tag: element.tagName.toLowerCase() + (element.type ? ` ${element.type}` : ""),
          name: name(element, kind),
          nth: at + 1,
          place: [Math.round(box.left + box.width / 2 + scrollX), Math.round(box.top + box.height / 2 + scrollY)],
          state: state(element, kind),
          options: kind === "list" ? [...element.options].map((option) => clean(option.text)) : [],
          card: element.disabled ? "disabled" : "",
        });
      });
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
    const met = under && (aim.contains(under) || (under.contains(aim) && !role(under)));
    return { x, y, covered: met ? "" : under ? clean(`${under.tagName.toLowerCase()} ${under.id}`) : "nothing" };
  }

  // The demo's clock stands still, and an animation would never end.
  addEventListener("DOMContentLoaded", () => { if (window.jQuery) jQuery.fx.off = true; });

  return { element, point, look: () => ({ ...demoLook.task(), things: all() }) };
})();
