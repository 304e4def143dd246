import { readFileSync } from 'node:fs';
import { execute, look } from '../helpers/lab-page';
import { expect, test } from '../helpers/lab-test';
import { runTimeout } from '../helpers/patience';

const profileFile = process.env['LABSCALE_KUBERNETES_PROFILE'];
test.skip(profileFile === undefined, 'needs a cluster: node scripts/test-cluster.mjs --only ui');
test.use({ labName: 'cluster' });

test('a container image is registered and promoted, runs as it is, and says why it waits', async ({
  page,
  project
}) => {
  for (let at = 1; at <= 6; at += 1) project.write({ [`words/part-${at}.txt`]: 'one two three\n'.repeat(at) });
  await project.registerDataset('Words', 'words', 'part-{part}.txt');
  const { image } = JSON.parse(readFileSync(profileFile ?? '', 'utf8')) as { image: string };
  const dialog = page.getByRole('dialog');

  await test.step('data may be in a bucket already', async () => {
    void execute(page, 'labscale:register-folder');
    await dialog.getByRole('radio', { name: /^Bucket/ }).check();
    await expect(dialog.getByRole('group', { name: 'Folders there' })).toBeVisible();
    await look(page, 'register-bucket');
    await page.keyboard.press('Escape');
    await expect(dialog).toHaveCount(0);
  });

  await test.step('register the image: its arguments never go through a shell', async () => {
    void execute(page, 'labscale:register-container');
    await dialog.getByLabel('Image', { exact: true }).fill(image);
    await dialog.getByLabel('Name', { exact: true }).fill('count words');
    await dialog.getByLabel('Arguments', { exact: true }).fill(countWords.join('\n'));
    await dialog.getByLabel('Parameters', { exact: true }).fill('word=two');
    await look(page, 'container');
    await dialog.getByRole('button', { name: 'Register' }).click();
    await expect(dialog).toHaveCount(0);
  });

  const start = page.getByRole('button', { name: 'Run 6 tasks' });
  await test.step('promote it with more than any node has', async () => {
    await page.getByRole('button', { name: 'Save its defaults as a set' }).click();
    await page.getByLabel('Dataset', { exact: true }).selectOption({ label: 'Words' });
    await expect(start).toBeEnabled();
    await page.getByLabel('CPUs').fill('1000');
    await page.getByLabel('Shards per pod').fill('3');
    await page.getByLabel('Shards per pod').scrollIntoViewIfNeeded();
    await look(page, 'promote-cluster');
    await expect(start).toBeEnabled();
    await start.click();
  });

  await test.step('it waits, and says for what', async () => {
    const headline = page.getByText(/^Waiting for room in the cluster: .*too little CPU free/).first();
    await expect(headline).toBeVisible({ timeout: runTimeout });
    await page.getByRole('application', { name: /^Tasks/ }).click({ position: { x: 20, y: 20 } });
    await expect(page.getByLabel('Selected task')).toContainText('too little CPU free');
    await look(page, 'waiting');
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await dialog.getByRole('button', { name: 'Stop' }).click();
    await expect(page.getByText('6 stopped', { exact: true })).toBeVisible({ timeout: runTimeout });
  });

  await test.step('with what there is it runs, and its results are there', async () => {
    await execute(page, 'labscale:promote');
    await page.getByLabel('Analysis', { exact: true }).selectOption({ label: 'count words' });
    await page.getByLabel('Dataset', { exact: true }).selectOption({ label: 'Words' });
    await start.click();
    await expect(page.getByText('Published 6 derivatives').first()).toBeVisible({ timeout: runTimeout });
    await page.getByRole('application', { name: /^Tasks/ }).click({ position: { x: 20, y: 20 } });
    await expect(page.getByLabel(/^Log of task/).filter({ visible: true })).toContainText('two: 1');
  });
});

/** Arguments of a container that counts a word in the file of its shard. */
const countWords = [
  'python3',
  '-c',
  'import pathlib, sys; [f] = pathlib.Path(sys.argv[2]).rglob("*.txt"); n = f.read_text().split().count(sys.argv[1]); print(f"{{sys.argv[1]}}: {{n}}"); pathlib.Path(sys.argv[3], "count.txt").write_text(str(n))',
  '{word}',
  '{input}',
  '{output}'
];
