// Two comforts of the landing page: a button that copies each command, and a test payment that is looked at anew by itself.

const lookEveryMs = 1500;
const looksAtMost = 400;

for (const block of document.querySelectorAll('.command')) {
  const text = block.querySelector('pre')?.textContent ?? '';
  const title = block.closest('li')?.querySelector('h3')?.textContent ?? '';
  if (!('clipboard' in navigator)) break;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'quiet';
  button.textContent = 'Copy';
  button.setAttribute('aria-label', `Copy the command: ${title}`);
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
    setTimeout(() => (button.textContent = 'Copy'), 2000);
  });
  block.classList.add('copies');
  block.append(button);
}

const live = document.getElementById('live');
let looks = 0;

/** Takes the part of the page that changes from a fresh copy, unless somebody is at work in it or looks elsewhere. */
async function look() {
  if (live === null || ++looks > looksAtMost) return;
  setTimeout(() => void look(), lookEveryMs);
  if (document.hidden || live.contains(document.activeElement)) return;
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('live');
  if (fresh !== null && fresh.innerHTML !== live.innerHTML) live.replaceChildren(...fresh.childNodes);
}
if (live !== null) setTimeout(() => void look(), lookEveryMs);
