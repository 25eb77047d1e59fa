// What may import what. Folders have a rank; an import only goes down, never up and never sideways.
// docs/architecture.md tells the story; test/architecture/imports.spec.ts runs these rules and shows that they bite.

/** Lowest first. Folders of one rank do not know each other. */
export const ranks = [
  ['kernel'],
  ['platform'],
  ['payments'],
  ['deposits'],
  ['customers', 'fulfillment', 'gateway', 'links'],
  ['read-models', 'reconciliation'],
  ['api', 'callbacks', 'checkout', 'ops', 'sandbox'],
];

/** Put the parts together or start them, and are imported by nobody but each other. */
const tops = '^src/(app|background|commands|core|process)\\.module\\.ts$|^src/(main|worker|cli)\\.ts$';
const starts = '^src/(main|worker|cli)\\.ts$';

/** A file with a role suffix touches the world; the others are pure. */
const withRole = '\\.(pg|client|controller|handlers|job|cli|module)\\.ts$|\\.page\\.tsx?$';

const under = (folders) => `^src/(${folders.join('|')})/`;
const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

const byRank = ranks.map((folders, rank) =>
  rule(
    `rank-${rank}-imports-only-down`,
    `${folders.join(', ')}: imports go down, never up and never sideways.`,
    { path: under(folders) },
    {
      path: '^src/',
      // The folder itself ($1), what lies below it, and the version of the product.
      pathNot: ['^src/$1/', ...(rank > 0 ? [under(ranks.slice(0, rank).flat())] : []), '^src/version\\.ts$'],
    },
  ),
);

const database = '(^|/)node_modules/(pg|typeorm|graphile-worker|@nestjs/typeorm)/';

/** The pure heart of the payments: the rule, the states, the decisions. */
const heart =
  '^src/payments/(allocation|credit|decimal|decisions|deposit|money|open-review|outcome|payment|policy|redecide|refund|refund-schedule|refunds|remainder|review|review-reasons|standing|transfers|verdict|worth)\\.ts$';

export default {
  forbidden: [
    ...byRank,
    rule(
      'kernel-is-alone',
      'The kernel imports no package and nothing of Node.',
      { path: '^src/kernel/' },
      { pathNot: '^src/kernel/' },
    ),
    rule(
      'decisions-are-pure',
      "The payment's rules know the kernel, each other, the words of the port, and exact decimals.",
      { path: heart },
      {
        pathNot: [
          '^src/kernel/',
          heart,
          '^src/payments/payment-gateway\\.ts$',
          '(^|/)node_modules/(@types/)?big\\.js/',
        ],
      },
    ),
    rule(
      'neighbours-take-pure-files',
      'Customers, fulfilment, gateway and links import only what is pure of the payments.',
      { path: under(['customers', 'fulfillment', 'gateway', 'links']) },
      { path: `^src/payments/.*(${withRole})` },
    ),
    rule(
      'gateway-stores-nothing',
      'The gateway adapter never touches the store.',
      { path: '^src/gateway/' },
      { path: ['^src/platform/(event-store|database|subscriptions|jobs)/', database] },
    ),
    rule(
      'read-models-read',
      'A read model imports neither the gateway nor command handlers.',
      { path: '^src/read-models/' },
      { path: ['^src/gateway/', '\\.handlers\\.ts$', '/payments/payment-gateway\\.ts$'] },
    ),
    rule(
      'api-asks-others',
      'The API parses, dispatches, answers: no SQL, no gateway.',
      { path: '^src/api/' },
      { path: ['^src/gateway/', database] },
    ),
    rule(
      'reconciliation-uses-the-port',
      'Reconciliation asks the gateway through its port.',
      { path: '^src/reconciliation/' },
      { path: '^src/gateway/' },
    ),
    rule(
      'sandbox-stands-alone',
      'The fake gateway shares nothing with the adapter but the signature, and knows nothing of payments or the store.',
      { path: '^src/sandbox/' },
      {
        path: '^src/(payments|customers|fulfillment|gateway|read-models)/|^src/platform/(event-store|subscriptions|jobs|database)/',
        pathNot: '^src/gateway/signature\\.ts$',
      },
    ),
    rule('nobody-imports-a-start', 'main, worker and cli have no logic and no importers.', {}, { path: starts }),
    rule(
      'nobody-imports-the-composition',
      'Only the tops know how the parts are put together.',
      { path: '^src/', pathNot: tops },
      { path: tops },
    ),
    rule(
      'pure-files-stay-pure',
      'A file without a role suffix reaches neither disk, network, processes nor the database.',
      { path: '^src/', pathNot: [withRole, tops] },
      {
        dependencyTypesNot: ['type-only'],
        path: [
          '^(node:)?(fs|fs/promises|http|https|http2|tls|dns|dgram|child_process|worker_threads|cluster)$',
          database,
          '(^|/)node_modules/(axios|pino)/',
        ],
      },
    ),
    rule(
      'no-cycles',
      'Files that need each other are one idea, or have their border in the wrong place.',
      { path: '^src/' },
      { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    ),
    rule(
      'packages-are-declared',
      'Every package is named in package.json; development packages stay in tests.',
      { path: '^src/' },
      { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev', 'unknown'], pathNot: '(^|/)node_modules/@types/' },
    ),
    rule('imports-resolve', 'An import leads somewhere.', { path: '^src/' }, { couldNotResolve: true }),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
      mainFields: ['types', 'module', 'main'],
    },
  },
};
