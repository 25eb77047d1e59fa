import type { Command } from 'commander';
import { Ids } from '../kernel/ids.js';
import type { JsonObject } from '../kernel/json.js';
import { addMinutes, Clock } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import { EventStore, noStream } from '../platform/event-store/event-store.pg.js';
import {
  applicationNameRule,
  Applications,
  isApplicationName,
  nameTaken,
  newApiKey,
  type Application,
  type ApplicationEntry,
  type KeyEntry,
} from '../platform/http/applications.pg.js';
import { isProduction, withExamples, type Report, type Run } from './command.cli.js';
import { operatorHere } from './operator.cli.js';
import type { Commands, Workspace } from './workspace.pg.js';

interface RotateOptions {
  keepOldFor: string;
  yes?: boolean;
  json?: boolean;
}

/** Adds `applications list|create|rotate-key`. A key is printed once, and never taken as an argument. */
export function applicationsCommand(cli: Command, run: Run): void {
  const applications = cli.command('applications').description('the calling services and their keys');
  withExamples(
    applications
      .command('list')
      .description('applications and what tells their keys apart, oldest first')
      .option('--json', 'one JSON value')
      .action((options: { json?: boolean }) => run(options, list)),
    'applications list',
  );
  withExamples(
    applications
      .command('create <name>')
      .description(`a new application; its key is shown once. A name is ${applicationNameRule}`)
      .option('--json', 'one JSON value')
      .action((name: string, options: { json?: boolean }) => run(options, (workspace) => create(workspace, name))),
    'applications create webshop',
    'applications create webshop --json | jq -r .key > webshop.key',
  );
  withExamples(
    applications
      .command('rotate-key <application>')
      .description('a new key for an application, by its name or id; it is shown once, and the others end')
      .option('--keep-old-for <minutes>', 'until then the old keys work too; 0 to 43200', '0')
      .option('--yes', 'do it; on production the command says otherwise what it would do, and exits with 1')
      .option('--json', 'one JSON value')
      .action((application: string, options: RotateOptions, command: Command) => {
        const minutes = minutesOf(options.keepOldFor);
        if (minutes === null)
          return command.error('error: --keep-old-for takes a whole number of minutes from 0 to 43200 (30 days)');
        return run(options, (workspace) => rotate(workspace, application, minutes, options.yes ?? false));
      }),
    'applications rotate-key webshop --keep-old-for 60',
    'applications rotate-key webshop --yes',
  );
}

const minutesOf = (text: string): number | null => {
  const minutes = /^\d{1,5}$/.test(text) ? parseInt(text, 10) : NaN;
  return minutes <= 43_200 ? minutes : null;
};

async function list(workspace: Workspace): Promise<Report> {
  const commands = await workspace.commands();
  const now = commands.get(Clock).now();
  const found = await commands.get(Applications).list();
  const text = found.flatMap((application) => describe(application, now)).join('\n');
  return { ok: true, json: found, text: text === '' ? 'There is no application.' : text };
}

const describe = ({ id, name, createdAt, keys }: ApplicationEntry, now: string): string[] => [
  `${createdAt}  ${id}  ${name}`,
  ...keys.map((key) => `    ${key.hint.padEnd(14)} since ${key.createdAt}${standing(key, now)}`),
];

const standing = ({ revokedAt }: KeyEntry, now: string): string =>
  revokedAt === null ? '' : revokedAt > now ? `, ends ${revokedAt}` : `, ended ${revokedAt}`;

async function create(workspace: Workspace, name: string): Promise<Report> {
  if (!isApplicationName(name)) throw new Refusal('malformed_request', `The name is ${applicationNameRule}.`);
  const commands = await workspace.commands();
  const applications = commands.get(Applications);
  if (await applications.find(name)) throw nameTaken(name);
  const application = { id: commands.get(Ids).next(), name };
  const key = newApiKey();
  await record(commands, application, 'ApplicationCreated', { name });
  await applications.create(application, key);
  return {
    ok: true,
    json: { ...application, key },
    text: [`Application ${name}, id ${application.id}. Its key, shown this once:`, key].join('\n'),
  };
}

async function rotate(workspace: Workspace, nameOrId: string, keepMinutes: number, yes: boolean): Promise<Report> {
  const commands = await workspace.commands();
  const applications = commands.get(Applications);
  const application = await applications.find(nameOrId);
  if (!application)
    throw new Refusal('not_found', `There is no application "${nameOrId.slice(0, 64)}"; see: applications list.`);
  const endsAt = addMinutes(commands.get(Clock).now(), keepMinutes);
  const live = await liveKeys(applications, application, endsAt);
  if (isProduction(workspace) && !yes) {
    const lines = live.map(({ hint }) => `  ${hint} would end ${keepMinutes === 0 ? 'now' : `at ${endsAt}`}`);
    return {
      ok: false,
      json: { application, rotated: false, wouldEnd: live, endsAt },
      text: [`${application.name} would get a new key:`, ...lines, 'Nothing was changed. Add --yes to do it.'].join(
        '\n',
      ),
    };
  }
  const key = newApiKey();
  await record(commands, application, 'ApplicationKeyRotated', { oldKeysEndAt: endsAt });
  const { ended } = await applications.rotate(application.id, key, endsAt);
  const when =
    keepMinutes === 0 ? 'ended; a process that saw it just now takes it for 2 more seconds' : `ends ${endsAt}`;
  return {
    ok: true,
    json: { ...application, key, ended },
    text: [
      `The new key of ${application.name}, shown this once:`,
      key,
      ...ended.map(({ hint }) => `${hint} ${when}.`),
      ...(ended.some(({ hint }) => hint === 'bootstrap') ? [bootstrapNote] : []),
    ].join('\n'),
  };
}

const bootstrapNote =
  'The key called bootstrap is the one in API_KEY: set API_KEY to the new one, or the next start brings the old one back.';

async function liveKeys(applications: Applications, { id }: Application, at: string): Promise<KeyEntry[]> {
  const entry = (await applications.list()).find((each) => each.id === id);
  return (entry?.keys ?? []).filter(({ revokedAt }) => revokedAt === null || revokedAt > at);
}

/** What was done to an application, in a stream that has its id. It comes first: nothing is done unrecorded. */
async function record(commands: Commands, { id }: Application, type: string, given: JsonObject): Promise<void> {
  const store = commands.get(EventStore);
  const ids = commands.get(Ids);
  const now = commands.get(Clock).now();
  const { streamId, head } = await store.read(id);
  const request = ids.next();
  await store.append({
    streamId,
    head,
    events: [{ id: ids.next(), type, schemaVersion: 1, data: { ...given, at: now } }],
    metadata: {
      // The operators' own record: it is not in the application's feed.
      tenant: noStream,
      actor: operatorHere(),
      correlationId: request,
      causationId: request,
      recordedAt: now,
    },
  });
}
