import { createHash, randomUUID } from 'node:crypto';
import { runPolicy } from '../src/objects/run-policy.js';
import { StsRunCredentials, type IssuedCredentials } from '../src/objects/run-credentials.js';
import { Secret } from '../src/objects/s3-settings.js';
import { askSigned, type SignedRequest, type Signer } from '../src/objects/signed-request.js';
import { encrypt } from '../../hub-config/test-cluster/minio-admin.mjs';
import { ProblemError } from '../src/problem-error.js';
import { describeWithMinio, settingsOf, startMinio, type MinioServer } from './minio-server.js';

const bucket = 'labscale';
const run = 'run-1';
const dataset = 'datasets/ds-1/objects/';
const inputs = [
  { bucket: undefined, prefix: dataset },
  { bucket: undefined, prefix: 'analyses/abc/' },
  // All of another run, of which only what it made is readable.
  { bucket: undefined, prefix: 'runs/run-0/' },
  { bucket: 'scans', prefix: 'study 1/' }
];

describe('the policy of a run', () => {
  const problem = (make: () => string) => {
    try {
      make();
    } catch (error) {
      return error instanceof ProblemError ? { code: error.code, detail: error.detail } : error;
    }
    return undefined;
  };
  const prefixes = (...names: string[]) => names.map((prefix) => ({ bucket: undefined, prefix }));

  test.each(['a*/', 'a?/', '${aws:username}/', 'x/${*}/'])(
    'refuses %j, which would mean more than itself',
    (prefix) => {
      expect(problem(() => runPolicy(bucket, run, prefixes(prefix)))).toMatchObject({ code: 'PATH_INVALID' });
      expect(problem(() => runPolicy(bucket, prefix.slice(0, -1), []))).toMatchObject({ code: 'PATH_INVALID' });
    }
  );

  test('refuses what would take siblings with it, or all', () => {
    expect(problem(() => runPolicy(bucket, run, prefixes('datasets/ds-1')))).toMatchObject({ code: 'PATH_INVALID' });
    expect(problem(() => runPolicy(bucket, run, prefixes('')))).toMatchObject({ code: 'PATH_INVALID' });
    expect(problem(() => runPolicy(bucket, run, [{ bucket, prefix: '' }]))).toMatchObject({ code: 'PATH_INVALID' });
    expect(runPolicy(bucket, run, [{ bucket: 'scans', prefix: '' }])).toContain('"arn:aws:s3:::scans/*"');
  });

  test('keeps quotes and backslashes as text', () => {
    const prefix = 'a","arn:aws:s3:::other\\/';
    const policy = JSON.parse(runPolicy(bucket, run, prefixes(prefix))) as { Statement: { Resource: string[] }[] };
    expect(policy.Statement[0]!.Resource).toEqual([
      `arn:aws:s3:::${bucket}/runs/${run}/*`,
      `arn:aws:s3:::${bucket}/${prefix}*`
    ]);
  });

  test('is refused where it would be longer than a store takes, never cut', () => {
    const room = 2_048 - runPolicy(bucket, run, prefixes('/')).length;
    const longest = `${'x'.repeat(room)}/`;
    expect(runPolicy(bucket, run, prefixes(longest))).toHaveLength(2_048);
    expect(problem(() => runPolicy(bucket, run, prefixes(`x${longest}`)))).toEqual({
      code: 'RUNNER_UNSUITED',
      detail: expect.stringContaining('1 folders') as string
    });
    // Go writes each of these with six characters.
    expect(problem(() => runPolicy(bucket, run, prefixes(`&${longest.slice(1)}`)))).toMatchObject({
      code: 'RUNNER_UNSUITED'
    });
  });
});

describeWithMinio('credentials of a run on MinIO', () => {
  let minio: MinioServer;
  let credentials: StsRunCredentials;
  beforeAll(async () => {
    minio = await startMinio({ dataBuckets: ['scans'] });
    credentials = new StsRunCredentials(settingsOf(minio));
    for (const key of [
      ...[
        'runs/run-1/plan.json',
        'runs/run-1/waves/1/orders',
        'runs/run-1/claims/0.json',
        'runs/run-1/attempts/0/1/log'
      ],
      ...['runs/run-10/plan.json', 'runs/run-0/attempts/0/1/out/a', 'runs/run-0/plan.json', 'runs/run-0/claims/0.json'],
      ...['runs/run-1.json', 'runs/run-2/plan.json', 'runs/run-2/attempts/0/1/out/a', 'runs/run-1/derivatives.json'],
      ...[
        `${dataset}a b/ö.csv`,
        'datasets/ds-10/objects/a',
        'datasets/ds-1/versions/v.json',
        'datasets/ds-2/objects/a'
      ],
      ...['analyses/abc/notebook.ipynb', 'analyses/abcd/notebook.ipynb', 'thumbnails/a']
    ]) {
      expect((await askSigned(minio.root, { method: 'PUT', path: `/${bucket}/${key}`, body: key })).status).toBe(200);
    }
    for (const key of ['study 1/a', 'study 10/a', 'a'])
      expect((await askSigned(minio.root, { method: 'PUT', path: `/scans/${key}`, body: key })).status).toBe(200);
  });
  afterAll(() => minio.stop());

  const as = (issued: IssuedCredentials): Signer => ({
    endpoint: minio.endpoint,
    region: 'us-east-1',
    accessKey: issued.accessKey,
    secretKey: issued.secretKey,
    sessionToken: issued.sessionToken
  });
  const issue = (runId = run) => credentials.issue(runId, { prefixes: inputs });
  const status = async (signer: Signer, request: SignedRequest) => (await askSigned(signer, request)).status;
  const own = (rest: string) => `/${bucket}/runs/${run}/${rest}`;

  /** What a pod does. */
  const legitimate: { name: string; request: SignedRequest; status?: number }[] = [
    { name: 'read the plan', request: { method: 'GET', path: own('plan.json') } },
    {
      name: 'read its orders',
      request: { method: 'GET', path: own('waves/1/orders'), headers: { range: 'bytes=0-3' } },
      status: 206
    },
    { name: 'look for a claim', request: { method: 'HEAD', path: own('claims/0.json') } },
    { name: 'read the analysis', request: { method: 'GET', path: `/${bucket}/analyses/abc/notebook.ipynb` } },
    { name: 'read a shard', request: { method: 'GET', path: `/${bucket}/${dataset}a b/ö.csv` } },
    { name: 'read a derivative', request: { method: 'GET', path: `/${bucket}/runs/run-0/attempts/0/1/out/a` } },
    { name: 'read a shard elsewhere', request: { method: 'GET', path: '/scans/study 1/a' } },
    {
      name: 'take a lease',
      request: {
        method: 'PUT',
        path: own('attempts/0/LEASE/lease.json'),
        headers: { 'if-none-match': '*' },
        body: '{}'
      }
    },
    { name: 'write an output', request: { method: 'PUT', path: own('attempts/0/2/out/b'), body: 'b' } },
    {
      name: 'begin a large output',
      request: { method: 'POST', path: own('attempts/0/2/out/c'), query: { uploads: '' } }
    },
    { name: 'claim', request: { method: 'PUT', path: own('claims/LEASE.json'), headers: { 'if-none-match': '*' } } },
    { name: 'write its journal', request: { method: 'PUT', path: own('waves/1/pods/0.json'), body: '{}' } }
  ];
  const attempted = async (signer: Signer, { request }: { request: SignedRequest }) =>
    await status(signer, { ...request, path: request.path.replace('LEASE', randomUUID()) });
  /** Begins an upload as the root does, and gives it up as the run. */
  const abortUpload = async (signer: Signer, key = own('attempts/0/2/out/c')) => {
    const begun = await askSigned(minio.root, { method: 'POST', path: key, query: { uploads: '' } });
    const uploadId = /<UploadId>([^<]+)/.exec(begun.body.toString())![1]!;
    const answer = await status(signer, { method: 'DELETE', path: key, query: { uploadId } });
    await askSigned(minio.root, { method: 'DELETE', path: key, query: { uploadId } });
    return answer;
  };

  test('open what a pod does', async () => {
    const signer = as(await issue());
    for (const step of legitimate)
      expect([step.name, await attempted(signer, step)]).toEqual([step.name, step.status ?? 200]);
    expect(await abortUpload(signer)).toBe(204);
  });

  /** Operations and places outside of a run; each is to be denied. */
  const probes = (): { name: string; request: SignedRequest }[] => {
    const readOutside = [
      `/${bucket}/runs/run-10/plan.json`,
      `/${bucket}/runs/run-2/plan.json`,
      `/${bucket}/runs/run-2/attempts/0/1/out/a`,
      `/${bucket}/runs/run-0/plan.json`,
      `/${bucket}/runs/run-0/claims/0.json`,
      `/${bucket}/runs/run-1.json`,
      `/${bucket}/datasets/ds-10/objects/a`,
      `/${bucket}/datasets/ds-2/objects/a`,
      `/${bucket}/datasets/ds-1/versions/v.json`,
      `/${bucket}/analyses/abcd/notebook.ipynb`,
      `/${bucket}/thumbnails/a`,
      `/${bucket}/not there`,
      '/scans/study 10/a',
      '/scans/a'
    ];
    const writeOutside = [
      own('plan.json'),
      own('derivatives.json'),
      own('waves/1/orders'),
      own('anything'),
      `/${bucket}/runs/run-2/attempts/0/1/out/a`,
      `/${bucket}/runs/run-2/claims/0.json`,
      `/${bucket}/runs/run-0/attempts/0/1/out/a`,
      `/${bucket}/runs/run-10/attempts/0/1/out/a`,
      `/${bucket}/${dataset}a b/ö.csv`,
      `/${bucket}/analyses/abc/notebook.ipynb`,
      `/${bucket}/new`,
      '/scans/study 1/a'
    ];
    const lists = ['', 'runs/', 'runs/run-1', 'runs/run-1/', 'datasets/', dataset];
    return [
      ...readOutside.flatMap((path) => [
        { name: `GET ${path}`, request: { method: 'GET', path } },
        { name: `HEAD ${path}`, request: { method: 'HEAD', path } }
      ]),
      ...writeOutside.flatMap((path) => [
        { name: `PUT ${path}`, request: { method: 'PUT', path, body: 'forged' } },
        { name: `DELETE ${path}`, request: { method: 'DELETE', path } },
        { name: `begin parts of ${path}`, request: { method: 'POST', path, query: { uploads: '' } } }
      ]),
      ...lists.map((prefix) => ({
        name: `list "${prefix}"`,
        request: { method: 'GET', path: `/${bucket}`, query: { 'list-type': '2', prefix } }
      })),
      ...[
        { name: 'delete of its own', request: { method: 'DELETE', path: own('attempts/0/1/log') } },
        { name: 'delete a claim', request: { method: 'DELETE', path: own('claims/0.json') } },
        {
          name: 'copy from outside',
          request: {
            method: 'PUT',
            path: own('attempts/0/2/out/stolen'),
            headers: { 'x-amz-copy-source': `/${bucket}/runs/run-2/plan.json` }
          }
        },
        {
          name: 'tag',
          request: { method: 'PUT', path: own('attempts/0/1/log'), query: { tagging: '' }, body: '<Tagging/>' }
        },
        { name: 'tags', request: { method: 'GET', path: own('plan.json'), query: { tagging: '' } } },
        { name: 'versions', request: { method: 'GET', path: `/${bucket}`, query: { versions: '' } } },
        { name: 'uploads', request: { method: 'GET', path: `/${bucket}`, query: { uploads: '' } } },
        { name: 'buckets policy', request: { method: 'GET', path: `/${bucket}`, query: { policy: '' } } },
        { name: 'new bucket', request: { method: 'PUT', path: '/another' } },
        { name: 'no bucket', request: { method: 'DELETE', path: `/${bucket}` } },
        { name: 'many deletes', request: bulkDelete('runs/run-2/plan.json') },
        { name: 'users', request: { method: 'GET', path: '/minio/admin/v3/list-users' } },
        { name: 'server', request: { method: 'GET', path: '/minio/admin/v3/info' } }
      ]
    ];
  };
  const bulkDelete = (key: string): SignedRequest => {
    const body = `<Delete><Object><Key>${key}</Key></Object></Delete>`;
    const digest = createHash('md5').update(body).digest('base64');
    return { method: 'POST', path: `/${bucket}`, query: { delete: '' }, headers: { 'content-md5': digest }, body };
  };
  const denied = async (signer: Signer, request: SignedRequest) => {
    const answer = await askSigned(signer, request);
    // A bulk deletion answers for each key by itself.
    if (answer.status === 200)
      return answer.body.includes('<Code>AccessDenied</Code>') && !answer.body.includes('<Deleted>');
    return answer.status === 403;
  };

  const allowed = async (all: ReturnType<typeof probes>, signer: Signer) => {
    const names = [];
    for (const { name, request } of all) if (!(await denied(signer, request))) names.push(name);
    return names;
  };

  test('open nothing else, neither before they are taken back nor after', async () => {
    const all = probes();
    expect(all.length).toBeGreaterThanOrEqual(60);
    const issued = await issue();
    const signer = as(issued);
    const other = as(await credentials.issue('run-2', { prefixes: [] }));
    const missed = async () => await allowed(all, signer);
    expect(await missed()).toEqual([]);
    // A key with more rights under the same user is what a leak is worth most for.
    const keyFor = (secretKey: string): SignedRequest => ({
      method: 'PUT',
      path: '/minio/admin/v3/add-service-account',
      body: encrypt(secretKey, JSON.stringify({ accessKey: 'widened-key', secretKey: 'widened-secret' }))
    });
    expect(await status(signer, keyFor(issued.secretKey))).toBe(403);
    const assume = {
      method: 'POST',
      path: '/',
      service: 'sts' as const,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'Action=AssumeRole&Version=2011-06-15&DurationSeconds=900'
    };
    expect(await status(signer, assume)).toBe(403);

    await credentials.revoke(run);
    expect(await missed()).toEqual([]);
    for (const step of legitimate) expect([step.name, await attempted(signer, step)]).toEqual([step.name, 403]);
    // Another run of the same user goes on.
    expect(await status(other, { method: 'GET', path: `/${bucket}/runs/run-2/plan.json` })).toBe(200);
    expect(await status(other, { method: 'PUT', path: `/${bucket}/runs/run-2/claims/9.json`, body: 'x' })).toBe(200);
    await credentials.revoke(run);
  });

  test('are issued anew while the former ones still work, and taken back together', async () => {
    const [first, second] = [await issue(), await issue()];
    expect(first.accessKey).not.toBe(second.accessKey);
    expect(Date.parse(first.expiresAt) - Date.now()).toBeGreaterThan(3_000_000);
    for (const issued of [first, second]) expect(await attempted(as(issued), legitimate[0]!)).toBe(200);
    await credentials.revoke(run);
    for (const issued of [first, second]) expect(await attempted(as(issued), legitimate[0]!)).toBe(403);
  });

  test('have no right that a pod does not need', async () => {
    const policy = JSON.parse(runPolicy(bucket, run, inputs)) as {
      Version: string;
      Statement: { Effect: string; Action: string[]; Resource: string[] }[];
    };
    const kept: string[] = [];
    let tried = 0;
    for (const [place, statement] of policy.Statement.entries()) {
      for (const part of ['Action', 'Resource'] as const) {
        for (const name of statement[part]) {
          const rest = statement[part].filter((other) => other !== name);
          const Statement = policy.Statement.flatMap((other, at) =>
            at !== place ? [other] : rest.length === 0 ? [] : [{ ...other, [part]: rest }]
          );
          const signer = await assumeWith(JSON.stringify({ ...policy, Statement }));
          let failed = (await abortUpload(signer)) !== 204;
          for (const step of legitimate) failed ||= (await attempted(signer, step)) === 403;
          tried++;
          if (!failed) kept.push(name);
        }
      }
    }
    expect(tried).toBe(3 + 8);
    expect(kept).toEqual([]);
  });

  const assumeWith = async (Policy: string): Promise<Signer> => {
    const { accessKey, secretKey } = minio;
    const answer = await askSigned(
      { endpoint: minio.endpoint, region: 'us-east-1', accessKey, secretKey },
      {
        method: 'POST',
        path: '/',
        service: 'sts',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ Action: 'AssumeRole', Version: '2011-06-15', Policy }).toString()
      }
    );
    const said = (name: string) => new RegExp(`<${name}>([^<]+)`).exec(answer.body.toString())![1]!;
    return as({
      accessKey: said('AccessKeyId'),
      secretKey: said('SecretAccessKey'),
      sessionToken: said('SessionToken'),
      expiresAt: ''
    });
  };

  test('would open far more without the policy of the run: the probes tell', async () => {
    const open = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: ['s3:GetObject', 's3:PutObject'], Resource: [`arn:aws:s3:::${bucket}/*`] }]
    });
    expect((await allowed(probes(), await assumeWith(open))).length).toBeGreaterThan(30);
  });

  test('with the longest policy are taken by the store', async () => {
    const shortest = runPolicy(bucket, run, [{ bucket: undefined, prefix: '/' }]).length;
    const prefix = `${'x'.repeat(2_048 - shortest)}/`;
    await credentials.issue(run, { prefixes: [{ bucket: undefined, prefix }] });
  });

  test('are refused in plain words where the server may not have them', async () => {
    const wrong = new StsRunCredentials({ ...settingsOf(minio), secretKey: new Secret('another-secret') });
    const refusal = (await wrong.issue(run, { prefixes: [] }).catch((error: unknown) => error)) as ProblemError;
    expect(refusal.code).toBe('STORE_REFUSED');
    expect(refusal.more.mend).toContain('LABSCALE_S3_SECRET_KEY');
    expect(JSON.stringify(refusal.toProblem())).not.toContain('another-secret');
  });
});
