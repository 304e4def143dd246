import js from '@eslint/js';
import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

/** Which file may use what: a breach of a direction in ARCHITECTURE fails the check. */
const imports = (files, ...patterns) => ({
  files,
  rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] }
});
const noMarkup = {
  selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]',
  message: 'Text from data or users must never become markup.'
};
const untranslated = (selector) => ({
  selector,
  message: 'What people read goes through the translator: trans.__(…).'
});
const never = (group, message) => ({ group, message });
const typesOnly = (group, message) => ({ group, message, allowTypeImports: true });

const browserOnly = never(
  ['@jupyterlab/*', '@lumino/*', 'react', 'react-dom', '**/extension/**', 'jupyterlab-labscale'],
  'The server does not know the extension.'
);
const oneFileEach = {
  kysely: typesOnly(['kysely'], 'Only server/src/metadata/ and the repositories, searches and filters write SQL.'),
  sqlite: typesOnly(['node:sqlite'], 'Only server/src/metadata/ opens a database.'),
  fastify: typesOnly(['fastify', '@fastify/*'], 'Only app.ts and http/ make a Fastify server.'),
  pino: typesOnly(['pino'], 'Only log-file.ts makes a logger; others are given one.'),
  s3: typesOnly(
    ['minio', 'minio/*'],
    'Only objects/s3-object-store.ts loads the client of S3, where it is configured.'
  ),
  metrics: typesOnly(['prom-client'], 'Only compose.ts and http/metrics.ts make metrics.'),
  kubernetes: never(['@kubernetes/*'], 'Only runner/kubernetes/kubernetes-client.ts speaks with a cluster.')
};
const server = (files, ...allowed) =>
  imports(
    files,
    browserOnly,
    ...Object.entries(oneFileEach)
      .filter(([name]) => !allowed.includes(name))
      .map(([, pattern]) => pattern)
  );

const forbid = (files, ignores, ...restrictions) => ({
  files,
  ignores,
  rules: {
    'no-restricted-syntax': ['error', ...restrictions.map(([selector, message]) => ({ selector, message }))]
  }
});
const sqliteOnly =
  'json_|glob|regexp|match|rowid|strftime|datetime|julianday|unixepoch|nocase|pragma|ifnull|iif|group_concat|instr|printf|typeof|indexed by|insert or|replace into';
const oneDialect = [
  [
    `TaggedTemplateExpression[tag.name='sql'] TemplateElement[value.raw=/\\b(${sqliteOnly})/i]`,
    'PostgreSQL does not know this; what only SQLite speaks stands in metadata/sqlite.ts.'
  ],
  [
    'CallExpression[callee.property.name=/^or(Ignore|Replace|Abort|Fail|Rollback)$/]',
    'PostgreSQL has no INSERT OR; onConflict is for both.'
  ]
];
const oneWriter = [
  'CallExpression[callee.property.name=/^(insertInto|updateTable|deleteFrom)$/][arguments.0.value=/^(run|task|attempt)$/]',
  'Only run-writes.ts writes runs, tasks and attempts: there each change of state passes the table of transitions.'
];

export default tseslint.config(
  {
    ignores: [
      '**/node_modules/',
      '**/lib/',
      '**/dist/',
      '.venv/',
      '.cache/',
      'reports/',
      'coverage/',
      'schema/generated/',
      'extension/jupyterlab_labscale/',
      'ui-tests/test-results/'
    ]
  },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    languageOptions: {
      globals: Object.fromEntries(
        'AbortController AbortSignal Buffer TextDecoder TextEncoder URL URLSearchParams clearInterval clearTimeout console crypto fetch performance process setInterval setTimeout structuredClone'
          .split(' ')
          .map((name) => [name, 'readonly'])
      )
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'no-restricted-properties': [
        'error',
        ...['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'dangerouslySetInnerHTML'].map((property) => ({
          property,
          message: 'Text from data or users must never become markup.'
        }))
      ],
      'no-restricted-syntax': ['error', noMarkup],
      // Logs of programs are full of control characters, and what guards against them has to name them.
      'no-control-regex': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }]
    }
  },
  {
    files: ['**/*.js', '**/*.cjs'],
    languageOptions: {
      sourceType: 'commonjs',
      globals: { module: 'writable', require: 'readonly', __dirname: 'readonly' }
    },
    rules: { '@typescript-eslint/no-require-imports': 'off' }
  },
  {
    files: ['schema/src/**/*.ts', 'server/src/**/*.ts', 'extension/src/**/*.{ts,tsx}'],
    ignores: ['**/*.spec.{ts,tsx}'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }]
    }
  },
  {
    files: ['extension/src/**/*.{ts,tsx}'],
    plugins: { 'react-hooks': reactHooks },
    rules: {
      ...reactHooks.configs.recommended.rules,
      // JupyterLab groups the ids of commands in a namespace.
      '@typescript-eslint/no-namespace': 'off'
    }
  },
  {
    files: ['extension/src/**/*.tsx'],
    ignores: ['**/*.spec.tsx'],
    rules: {
      'no-restricted-syntax': [
        'error',
        noMarkup,
        untranslated('JSXText[value=/[A-Za-z]{2}/]'),
        untranslated('JSXExpressionContainer > Literal[value=/[A-Za-z]{2}/]'),
        untranslated(
          'JSXAttribute[name.name=/^(aria-label|title|placeholder|alt|label)$/] > Literal[value=/[A-Za-z]{2}/]'
        )
      ]
    }
  },

  imports(
    ['schema/src/**/*.ts'],
    never(
      ['@labscale/*', '**/server/**', '**/extension/**', 'fastify', 'kysely', '@jupyterlab/*'],
      'The contract stands alone.'
    )
  ),
  imports(
    ['extension/src/**/*.{ts,tsx}'],
    never(['@labscale/server', '**/server/src/**', 'node:*'], 'The extension knows the contract, not the server.'),
    {
      regex: '^@labscale/schema$',
      message: 'Types and operations only: the schemas themselves would come into the browser bundle.',
      allowTypeImports: true
    }
  ),
  // The last that fits a file counts.
  server(['server/src/**/*.ts']),
  server(['server/src/*/*-{repository,search,filter}.ts'], 'kysely'),
  server(['server/src/metadata/**/*.ts'], 'kysely', 'sqlite'),
  server(['server/src/http/**/*.ts'], 'fastify', 'metrics'),
  server(['server/src/app.ts'], 'fastify'),
  server(['server/src/compose.ts'], 'metrics'),
  server(['server/src/log-file.ts'], 'pino'),
  server(['server/src/runner/kubernetes/kubernetes-client.ts'], 'kubernetes'),
  {
    files: ['server/src/**/*.ts'],
    // What starts programs hands them the PATH.
    ignores: ['server/src/main.ts', 'server/src/objects/local-object-store.ts', 'server/src/runner/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'env',
          message: 'main.ts hands the environment to config.ts, which alone reads it.'
        }
      ]
    }
  },
  forbid(['server/src/**/*.ts'], ['server/src/runs/{run-writes,reconcile}.ts'], ...oneDialect, oneWriter),
  forbid(['server/src/runs/run-writes.ts'], [], ...oneDialect),
  forbid(
    ['server/src/runs/reconcile.ts'],
    [],
    ['ImportDeclaration[importKind!="type"]', 'It is pure: it takes facts and gives actions.'],
    ['NewExpression[callee.name="Date"][arguments.length=0]', 'It is pure: the time is given to it.'],
    [
      'MemberExpression[object.name=/^(Date|Math|process|performance)$/][property.name=/^(now|random|hrtime)$/]',
      'It is pure.'
    ],
    ['AwaitExpression', 'It is pure: it takes facts and gives actions.']
  )
);
