/**
 * The only door through which HTML text from the server enters the page.
 *
 * The server's Markdown is safe already; this is the second wall. The text is parsed into a document of its own, where
 * nothing runs and nothing loads, and only allowed elements and attributes are built anew. Nothing is moved over.
 */

const ELEMENTS = new Set(
  "a abbr b blockquote br code del dd div dl dt em h1 h2 h3 h4 h5 h6 hr i img input kbd li ol p pre q s samp section small span strong sub sup table tbody td tfoot th thead tr u ul".split(" "),
);
/** Left out with everything in them; the text of any other unknown element is kept. */
const DROPPED = new Set("base button embed form iframe link math meta noscript object script select style svg template textarea title".split(" "));
const ATTRIBUTES = {
  "*": ["title", "lang", "dir"],
  a: ["href"],
  img: ["src", "alt", "width", "height"],
  input: ["checked"],
  ol: ["start", "type"],
  td: ["align", "colspan", "rowspan"],
  th: ["align", "colspan", "rowspan", "scope"],
};
const LINK_SCHEMES = new Set(["http:", "https:", "mailto:"]);
/** Deeper nesting than any text has; stops a page that tries to exhaust the stack. */
const DEPTH_MAX = 60;

/**
 * @param {string} html
 * @returns {DocumentFragment}
 */
export function safeFragment(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const fragment = document.createDocumentFragment();
  copyChildren(parsed.body, fragment, 0);
  return fragment;
}

/**
 * @param {Node} from
 * @param {Node} to
 * @param {number} depth
 */
function copyChildren(from, to, depth) {
  if (depth > DEPTH_MAX) return;
  for (const node of from.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) to.appendChild(document.createTextNode(node.nodeValue ?? ""));
    else if (node.nodeType === Node.ELEMENT_NODE) copyElement(/** @type {Element} */ (node), to, depth);
  }
}

/**
 * @param {Element} element
 * @param {Node} to
 * @param {number} depth
 */
function copyElement(element, to, depth) {
  const name = element.localName;
  if (element.namespaceURI !== "http://www.w3.org/1999/xhtml" || DROPPED.has(name)) return;
  if (!ELEMENTS.has(name)) {
    copyChildren(element, to, depth + 1);
    return;
  }
  const copy = document.createElement(name);
  for (const attribute of [...ATTRIBUTES["*"], ...(ATTRIBUTES[name] ?? [])]) {
    const value = element.getAttribute(attribute);
    if (value !== null && allowed(name, attribute, value)) copy.setAttribute(attribute, value);
  }
  if (!finish(copy, element)) return;
  copyChildren(element, copy, depth + 1);
  to.appendChild(copy);
}

function allowed(name, attribute, value) {
  if (attribute === "href") return LINK_SCHEMES.has(schemeOf(value)) || value.startsWith("#");
  // A picture from elsewhere would tell its host who reads the note, and the content policy refuses it anyway.
  if (attribute === "src") return /^data:image\/(png|jpeg|gif|webp);base64,/.test(value) || isOurs(value);
  return true;
}

/** What an element needs beyond its attributes; false leaves it out. */
function finish(copy, original) {
  if (copy.localName === "a" && copy.hasAttribute("href")) {
    if (!isOurs(copy.getAttribute("href"))) copy.setAttribute("target", "_blank");
    copy.setAttribute("rel", "noopener noreferrer nofollow");
  }
  if (copy.localName === "input") {
    // Only the check box of a task list, and it is a picture of one.
    if (original.getAttribute("type") !== "checkbox") return false;
    copy.setAttribute("type", "checkbox");
    copy.setAttribute("disabled", "");
  }
  return copy.localName !== "img" || copy.hasAttribute("src");
}

function schemeOf(value) {
  try {
    return new URL(value, location.origin).protocol;
  } catch {
    return "";
  }
}

function isOurs(value) {
  try {
    return new URL(value, location.origin).origin === location.origin;
  } catch {
    return false;
  }
}
