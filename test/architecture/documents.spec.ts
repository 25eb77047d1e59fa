import { access, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestService, type TestService } from '../support/service.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Document {
  path: string;
  text: string;
}

const documents = async (): Promise<Document[]> => {
  const docs = (await readdir(join(root, 'docs'), { recursive: true })).map((name) => `docs/${name}`);
  const paths = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...docs].filter((path) => path.endsWith('.md'));
  return Promise.all(paths.map(async (path) => ({ path, text: await readFile(join(root, path), 'utf8') })));
};

/** Routes that a text names: `POST /v1/payments/{id}/cancel`, or a bare path, which is taken for a GET. */
const routesIn = (text: string): { method: string; path: string }[] => {
  const named =
    /(?:\b(GET|POST|PUT|PATCH|DELETE) |[`" ]|localhost:3[01]00)(\/(?:v1|_sandbox|health|pay|metrics|openapi\.json)\b[\w{}/:.$-]*)/g;
  return [...text.matchAll(named)].map(([, method, path = '']) => ({
    method: method ?? '',
    path: path.replace(/[.:]+$/, '').replace(/\{[^}]*\}|\$\w+|:[a-z]\w*/gi, 'x'),
  }));
};

describe('The documents', () => {
  let all: Document[] = [];
  let service: TestService;
  beforeAll(async () => {
    [all, service] = await Promise.all([documents(), startTestService()]);
  });
  afterAll(() => service.close());

  /** Whether something answers there, be it with a refusal; a route that does not exist has an answer of its own. */
  const exists = async (method: string, path: string): Promise<boolean> => {
    const sandbox = path.startsWith('/_sandbox');
    const base = sandbox ? service.sandboxUrl : service.url;
    const answer = await fetch(base + path, {
      method,
      ...(method === 'GET' ? {} : { body: '{}', headers: { 'content-type': 'application/json' } }),
    });
    const text = await answer.text();
    const nothing = sandbox ? 'The requested endpoint was not found.' : 'There is nothing at this address.';
    return answer.status !== 405 && !text.includes(nothing);
  };

  it('name no route that does not exist', async () => {
    const missing: string[] = [];
    let looked = 0;
    for (const { path: file, text } of all) {
      for (const { method, path } of routesIn(text)) {
        looked += 1;
        const methods = method === '' ? ['GET', 'POST', 'PUT', 'DELETE'] : [method];
        const found = await Promise.all(methods.map((each) => exists(each, path)));
        if (!found.includes(true)) missing.push(`${file}: ${method} ${path}`);
      }
    }
    expect(missing).toEqual([]);
    expect(looked).toBeGreaterThanOrEqual(8);
    expect(await exists('GET', '/v1/no-such-thing')).toBe(false);
    expect(await exists('DELETE', '/v1/payments')).toBe(false);
    expect(await exists('POST', '/_sandbox/no-such-thing')).toBe(false);
  });

  it('link to files that are there', async () => {
    const broken: string[] = [];
    for (const { path: file, text } of all) {
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)) {
        await access(join(root, dirname(file), target)).catch(() => broken.push(`${file}: ${target}`));
      }
    }
    expect(broken).toEqual([]);
  });

  it('list every variable of the configuration, and no other', async () => {
    const config = await readFile(join(root, 'src/platform/config.ts'), 'utf8');
    const known = new Set([...config.matchAll(/\(env, '([A-Z_]+)'/g)].map(([, name]) => name));
    const readme = all.find(({ path }) => path === 'README.md')?.text ?? '';
    const table =
      /## Configuration\n(.*?)\n## /s.exec(readme)?.[1] ?? /## Configuration\n(.*)/s.exec(readme)?.[1] ?? '';
    const rows = table.split('\n').filter((line) => line.startsWith('| `'));
    const told = new Set(
      rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name)),
    );
    expect([...told].sort()).toEqual([...known].sort());
  });

  it('hold no path of one machine and no name of a registry', () => {
    const found = all.filter(
      ({ text }) => /(^|[\s`"(])\/(home|root|Users|work)\//.test(text) || /registry\./.test(text),
    );
    expect(found.map(({ path }) => path)).toEqual([]);
  });
});
