// The house rules that a linter can hold. What may import what is in .dependency-cruiser.mjs; layout is prettier's.
import tseslint from 'typescript-eslint';

/** A file with one of these suffixes touches the world; any other one under src/ is pure. */
const withRole = ['src/**/*.{pg,client,controller,handlers,job,cli,module}.ts', 'src/**/*.page.ts'];

/** Ways to start, and the two places where the machine's clock and its chance are turned into our own ports. */
const world = ['src/main.ts', 'src/worker.ts', 'src/cli.ts', 'src/platform/clock.ts', 'src/platform/ids.ts'];

/** What ESLint's own rules need to know of the platform in plain JavaScript files. */
const node = Object.fromEntries(
  'AbortController AbortSignal Buffer URL clearTimeout console fetch performance process setTimeout setInterval clearInterval'
    .split(' ')
    .map((name) => [name, 'readonly']),
);

/** Names that hold an amount of money, as far as a name can tell. */
const money = '/^(amount|received|sent|delta|due|price|fee|worth|sum|total)(Amount|Usd|Due)?$|Amount$/';
const exact = 'Money is a decimal string or a Decimal, never a number: use payments/policy.ts.';

const moneyRules = [
  ...['Number', 'parseFloat', 'parseInt'].flatMap((call) => [
    { selector: `CallExpression[callee.name='${call}'] > Identifier.arguments[name=${money}]`, message: exact },
    {
      selector: `CallExpression[callee.name='${call}'] > MemberExpression.arguments[property.name=${money}]`,
      message: exact,
    },
  ]),
  {
    selector: `UnaryExpression[operator='+'] > :matches(Identifier[name=${money}], MemberExpression[property.name=${money}])`,
    message: exact,
  },
  {
    selector: `BinaryExpression[operator=/^(<|>|<=|>=|-|\\*|\\/|%)$/] > MemberExpression[property.name=/Amount$|^amount$/]`,
    message: exact,
  },
  { selector: "MemberExpression[property.name='toNumber']", message: exact },
];

const handedIn =
  'The clock, ids and chance are handed in (kernel/clock.ts, kernel/ids.ts): what decides must not read the world.';
const worldlessSyntax = [
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: handedIn },
  { selector: "CallExpression[callee.name='Date']", message: handedIn },
];
const worldless = {
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: handedIn },
    { object: 'Math', property: 'random', message: handedIn },
    { object: 'performance', property: 'now', message: handedIn },
  ],
  'no-restricted-syntax': ['error', ...moneyRules, ...worldlessSyntax],
  'no-restricted-imports': [
    'error',
    { name: 'node:net', allowImportNames: ['isIP', 'BlockList'], message: 'Of node:net, only what computes.' },
  ],
};

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'test-results/', '.finality/', 'test/samples/'] },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
  },
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { project: ['test/tsconfig.json'], tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `for (…; await delay(10))` and `() => timer.close()` confuse nobody.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_+$' }],
      // Request classes hold fields only; spreading one gives its fields.
      '@typescript-eslint/no-misused-spread': [
        'error',
        { allow: [{ from: 'file', name: ['Underpayment', 'Overpayment', 'LatePayment'] }] },
      ],
      // Ports and answers are abstract classes that objects of the same shape fill: type and token at once.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // pg names the types of columns by an enum, and columns have more types than it has names.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      // What a library types as a string can be a number at run time: how columns are read is ours to set.
      '@typescript-eslint/no-unnecessary-type-conversion': 'off',
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', prefer: 'type-imports' },
      ],
    },
  },
  {
    files: ['src/**/*.{ts,tsx}'],
    rules: {
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      complexity: ['error', 20],
      'max-depth': ['error', 4],
      'max-params': ['error', 6],
      eqeqeq: 'error',
      'no-console': 'error',
      'no-restricted-globals': ['error', { name: 'parseFloat', message: exact }],
      'no-restricted-syntax': ['error', ...moneyRules],
    },
  },
  // Wiring names what it puts together.
  { files: ['src/**/*.module.ts'], rules: { 'max-params': 'off' } },
  { files: ['src/**/*.{ts,tsx}'], ignores: [...withRole, ...world], rules: worldless },
  { files: ['src/{kernel,payments,customers}/**/*.ts'], rules: worldless },
  {
    files: ['src/kernel/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ regex: '^[^.]', message: 'The kernel imports no package and nothing of Node.' }] },
      ],
      'no-restricted-globals': [
        'error',
        'parseFloat',
        'process',
        'Buffer',
        'fetch',
        'setTimeout',
        'setInterval',
        'performance',
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // Answers come in every shape; a wrong path fails the assertion that reads it.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/restrict-plus-operands': 'off',
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-base-to-string': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
    },
  },
  {
    // What pages run. Its types are checked by `tsc -p tsconfig.browser.json`.
    files: ['src/**/*.browser.js'],
    extends: [tseslint.configs.strict],
    rules: { complexity: ['error', 20], eqeqeq: 'error', 'no-console': 'error' },
  },
  {
    files: ['**/*.mjs'],
    extends: [tseslint.configs.strict],
    languageOptions: { globals: node },
    rules: { '@typescript-eslint/no-dynamic-delete': 'off', '@typescript-eslint/no-extraneous-class': 'off' },
  },
);
