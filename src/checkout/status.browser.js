// Keeps the payer's page live; without it the page is complete, and current when it is loaded.

const pollMs = { least: 5000, most: 30_000 };
/** A stream begins with the state as it is: where none comes, something in between keeps it. */
const firstEventMs = 10_000;
/** A connection may die without a word. */
const silenceMs = 120_000;
const refusedMs = 60_000;
const hiddenMs = 30_000;

/** @type {EventSource | null} */
let source = null;
let paused = false;
let wait = pollMs.least;
let streamAfter = 0;
/** When the shown card came: its `data-now` is the server's clock at that moment, and no other clock is asked. */
let shownAt = 0;
let askedAt = -Infinity;
/** What copy buttons say, while they say that it is done. @type {WeakMap<Node, string | null>} */
const labels = new WeakMap();
/** @type {Record<string, ReturnType<typeof setTimeout> | undefined>} */
const timers = {};

/** @param {string} name @param {number} ms @param {() => unknown} action */
function after(name, ms, action) {
  clearTimeout(timers[name]);
  timers[name] = setTimeout(action, ms);
}

const card = () => document.getElementById('payment');
const version = () => Number(card()?.dataset['version']);
/** For styles. @param {'stream' | 'poll' | 'off'} how */
const tell = (how) => (document.documentElement.dataset['live'] = how);

/**
 * Shows what came, a page or its card, unless something newer is shown. Tells whether it was news.
 * @param {string} text
 */
function take(text) {
  const came = new DOMParser().parseFromString(text, 'text/html');
  const [shown, next, before] = [card(), came.getElementById('payment'), version()];
  if (!shown || !next || Number(next.dataset['version']) < before) return false;
  shownAt = performance.now();
  morph(shown, next);
  document.title = shown.querySelector('h1')?.textContent ?? document.title;
  enhance();
  if (shown.dataset['live'] !== '1') stop('off');
  return version() !== before;
}

/**
 * Makes a node like another, and leaves alone what is the same: focus, selection and what is folded out stay, and nothing
 * is read out twice.
 * @param {Node} node @param {Node} next
 */
function morph(node, next) {
  if (!(node instanceof Element && next instanceof Element)) {
    if (node.nodeValue !== next.nodeValue) node.nodeValue = next.nodeValue;
    return;
  }
  const own = node.localName === 'details' ? 'open' : node.matches('button.copy') ? 'hidden' : '';
  for (const name of node.getAttributeNames()) if (!next.hasAttribute(name) && name !== own) node.removeAttribute(name);
  for (const { name, value } of next.attributes)
    if (node.getAttribute(name) !== value && name !== own) node.setAttribute(name, value);
  if (node.matches('time.countdown')) return;
  let at = node.firstChild;
  for (const child of [...next.childNodes]) {
    let like = at;
    while (like && kind(like) !== kind(child)) like = like.nextSibling;
    if (like) {
      while (at && at !== like) at = drop(at);
      morph(like, child);
      at = like.nextSibling;
    } else node.insertBefore(child, at);
  }
  while (at) at = drop(at);
}

/** @param {ChildNode} node */
function drop(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

/** @param {Node} node */
const kind = (node) =>
  node instanceof Element
    ? [node.localName, ...['id', 'role', 'data-copy', 'data-until'].map((name) => node.getAttribute(name))].join()
    : node.nodeName;

function enhance() {
  for (const button of document.querySelectorAll('button.copy')) button.removeAttribute('hidden');
  tick();
}

function tick() {
  for (const clock of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('time.countdown'))) {
    const { until = '', now = '' } = clock.dataset;
    const left = Math.ceil((Date.parse(until) - Date.parse(now) - performance.now() + shownAt) / 1000);
    const text = inDigitsOf(clock.textContent, timeOf(Math.max(0, left)));
    if (clock.textContent !== text) clock.textContent = text;
    if (left > 0 || performance.now() < askedAt + pollMs.least) continue;
    askedAt = performance.now();
    // Not everybody whose time is over at this moment.
    after('over', 300 + Math.random() * 1000, () => refresh().catch(() => false));
  }
}

/** @param {number} seconds */
function timeOf(seconds) {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const two = (/** @type {number} */ number) => String(number).padStart(2, '0');
  return (hours > 0 ? `${hours}:${two(minutes)}` : String(minutes)) + `:${two(seconds % 60)}`;
}

/** The digits of Arabic and Persian begin at another place. @param {string | null} sample @param {string} text */
function inDigitsOf(sample, text) {
  const zero = /[٠-٩]/.exec(sample ?? '') ? 0x660 : /[۰-۹]/.exec(sample ?? '') ? 0x6f0 : 0x30;
  return text.replace(/\d/g, (digit) => String.fromCharCode(zero + Number(digit)));
}

/** Fetches the page. Tells whether there was news; rejects where the page cannot be had. */
async function refresh() {
  const answer = await fetch(location.href, { cache: 'no-store', signal: AbortSignal.timeout(firstEventMs) });
  if (!answer.ok) throw new Error(String(answer.status));
  return take(await answer.text());
}

function connect() {
  const { live, stream = '' } = card()?.dataset ?? {};
  if (paused || source || live !== '1') return;
  if (!('EventSource' in window)) return void poll();
  const opened = (source = new EventSource(stream));
  let first = true;
  opened.addEventListener('payment', ({ data }) => {
    first = false;
    wait = pollMs.least;
    tell('stream');
    after('silence', silenceMs, listen);
    take(data);
  });
  opened.onerror = () => lose(first ? refusedMs : 0);
  after('silence', firstEventMs, () => lose(refusedMs));
}

/** The stream has ended, or never began: polls, and goes back to it after a while. @param {number} restMs */
function lose(restMs) {
  stop('poll');
  streamAfter = performance.now() + restMs;
  after('poll', (restMs > 0 ? 0 : 1000) + Math.random() * 1000, poll);
}

/** Is a stream that says nothing alive? Then the page knows no more than it. */
async function listen() {
  const news = await refresh().catch(() => true);
  if (source && news) lose(0);
  else if (source) after('silence', silenceMs, listen);
}

async function poll() {
  if (paused || source) return;
  try {
    wait = (await refresh()) ? pollMs.least : Math.min(wait * 1.2, pollMs.most);
    if (performance.now() >= streamAfter && 'EventSource' in window) return connect();
  } catch {
    wait = Math.min(wait * 2, pollMs.most);
    // Where nothing answers, the stream was not refused: it is tried as soon as something does.
    streamAfter = 0;
  }
  if (!paused && card()?.dataset['live'] === '1') after('poll', wait, poll);
}

/** @param {'poll' | 'off'} how */
function stop(how) {
  source?.close();
  source = null;
  for (const name of ['silence', 'poll']) clearTimeout(timers[name]);
  tell(how);
}

function pause() {
  paused = true;
  stop('off');
}

function resume() {
  clearTimeout(timers['hidden']);
  if (!paused || document.hidden) return;
  paused = false;
  wait = pollMs.least;
  connect();
}

/** @param {HTMLElement} button */
async function copy(button) {
  const text = button.dataset['copy'] ?? '';
  // Browsers keep the clipboard from pages without TLS; the old way is open to them.
  const writing = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error());
  const done = await writing.then(
    () => true,
    () => copyBySelection(text),
  );
  const [label] = button.childNodes;
  // Whoever is told that it is copied pastes what was there before.
  if (!label || !done) return;
  const words = labels.get(label) ?? label.nodeValue;
  labels.set(label, words);
  label.nodeValue = button.dataset['copied'] ?? '✓';
  setTimeout(() => (label.nodeValue = words), 2000);
}

/** Tells whether it was copied. @param {string} text */
function copyBySelection(text) {
  const focused = document.activeElement;
  const field = document.body.appendChild(document.createElement('textarea'));
  field.value = text;
  field.className = 'hidden';
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return done;
}

document.addEventListener('click', ({ target }) => {
  const button = target instanceof Element ? target.closest('button.copy') : null;
  if (button instanceof HTMLElement) void copy(button);
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden) after('hidden', hiddenMs, pause);
  else resume();
});
addEventListener('pagehide', pause);
addEventListener('pageshow', resume);
addEventListener('offline', pause);
addEventListener('online', resume);

const [loaded] = performance.getEntriesByType('navigation');
shownAt = loaded instanceof PerformanceNavigationTiming ? loaded.responseStart : performance.now();
setInterval(tick, 1000);
enhance();
connect();
