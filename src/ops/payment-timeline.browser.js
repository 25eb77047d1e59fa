// @ts-check
/*
 * A slider through a payment's versions: it marks what was not known yet at once, and has the server say how the payment
 * stood. The links beside it do the same without script.
 */
const nav = document.getElementById('versions');
const which = document.getElementById('which');
const standing = document.getElementById('standing');
const told = document.getElementById('told');
const newest = Number(nav?.dataset['newest']);
const waitMs = 120;

/** @param {number} version */
const nameOf = (version) =>
  document.querySelector(`[data-version="${version}"][data-name]`)?.getAttribute('data-name') ?? '';

/** @param {number} version */
const addressOf = (version) => `${nav?.dataset['path'] ?? ''}${version === newest ? '' : `?asOf=${version}`}`;

/** @param {number} version */
function mark(version) {
  for (const item of document.querySelectorAll('[data-since]'))
    item.classList.toggle('later', Number(item.getAttribute('data-since')) > version);
  if (!which) return;
  const strong = document.createElement('strong');
  strong.textContent = `Version ${version} of ${newest}`;
  which.replaceChildren(strong, `: ${nameOf(version)}${version === newest ? ' (now)' : ''}`);
}

/** The links go on from where the slider is. @param {number} version */
function link(version) {
  const links = nav?.querySelector('.links');
  if (!links) return;
  /** @type {[number, string, string][]} */
  const all = [
    [1, '⇤ First', 'The first version'],
    [version - 1, '← Earlier', `Version ${version - 1}`],
    [version + 1, 'Later →', `Version ${version + 1}`],
    [newest, 'Now ⇥', 'As it is now'],
  ];
  const made = all.map(([to, name, label]) => {
    const there = to >= 1 && to <= newest && to !== version;
    const made = document.createElement(there ? 'a' : 'span');
    made.textContent = name;
    if (made instanceof HTMLAnchorElement) {
      made.href = addressOf(to);
      made.setAttribute('aria-label', label);
    } else {
      made.className = 'soft';
      made.setAttribute('aria-hidden', 'true');
    }
    return made;
  });
  links.replaceChildren(...made.flatMap((each) => [each, ' ']));
}

/** @type {AbortController | null} */
let asking = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** @param {number} version */
async function load(version) {
  asking?.abort();
  const mine = (asking = new AbortController());
  try {
    const answer = await fetch(`${nav?.dataset['path'] ?? ''}/versions/${version}`, {
      signal: AbortSignal.any([mine.signal, AbortSignal.timeout(10_000)]),
    });
    // Whoever is not logged in any more is led to the login.
    if (!answer.ok || answer.redirected) return location.assign(addressOf(version));
    if (standing) standing.innerHTML = await answer.text();
    history.replaceState(null, '', addressOf(version));
    const badges = standing?.querySelector('.badges')?.textContent ?? '';
    if (told) told.textContent = `Version ${version}: ${badges.replace(/\s+/g, ' ').trim()}`;
  } catch (error) {
    if (mine.signal.aborted) return;
    if (told) told.textContent = `Version ${version} could not be loaded; try the links.`;
    throw error;
  }
}

if (nav && newest > 1) {
  const slider = document.createElement('input');
  slider.type = 'range';
  slider.min = '1';
  slider.max = String(newest);
  slider.step = '1';
  slider.value = nav.dataset['version'] ?? String(newest);
  slider.setAttribute('aria-label', 'Version');
  const show = () => {
    const version = Number(slider.value);
    slider.setAttribute('aria-valuetext', `Version ${version} of ${newest}: ${nameOf(version)}`);
  };
  show();
  slider.addEventListener('input', () => {
    const version = Number(slider.value);
    show();
    mark(version);
    link(version);
    clearTimeout(timer);
    timer = setTimeout(() => void load(version), waitMs);
  });
  which?.after(slider);
}

// A form that is under way is not sent a second time.
for (const form of document.querySelectorAll('form[method="post"]'))
  form.addEventListener('submit', (event) => {
    if (form.hasAttribute('data-sent')) event.preventDefault();
    form.setAttribute('data-sent', '');
  });
// Coming back by the browser's own button, a form may be sent again.
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('[data-sent]')) form.removeAttribute('data-sent');
});
