import { execute, look } from '../helpers/lab-page';
import { expect, test } from '../helpers/lab-test';
import type { LabscaleProject } from '../helpers/labscale-project';
import { runTimeout } from '../helpers/patience';

test.use({ labName: 'failures' });

const mebibyte = 1_048_576;

/** Readings of four plates with six wells each; two wells have no signal, and two are long. */
async function plateReadings(project: LabscaleProject) {
  const readings = (length: number, height: number) =>
    [
      'seconds,signal',
      ...Array.from({ length }, (_, at) => `${at},${(height * Math.sin(at / 9) ** 2).toFixed(4)}`)
    ].join('\n');
  for (let plate = 1; plate <= 4; plate += 1) {
    for (let well = 1; well <= 6; well += 1) {
      const weak = plate > 1 && well === plate + 1 && plate < 4;
      const long = plate > 2 && well === 6;
      project.write({
        [`plates/plate-${plate}_well-${well}.csv`]: readings(long ? 900 : 90, weak ? 0.04 : plate + well / 7)
      });
    }
  }
  const dataset = await project.registerDataset('Plate readings', 'plates', 'plate-{plate}_well-{well}.csv');
  const analysis = await project.registerNotebook('fit.ipynb', {
    parameters: 'least_signal = 0.2  # below this a well counts as empty',
    cells: [
      [
        'import csv, time',
        'import labscale',
        '',
        'shard = labscale.shard()',
        'with open(shard.path()) as file:',
        '    signal = [float(row["signal"]) for row in csv.DictReader(file)]',
        'print(f"{len(signal)} readings")'
      ].join('\n'),
      [
        'if max(signal) < least_signal:',
        '    raise ValueError(f"{shard.key}: the strongest signal is {max(signal)}, below {least_signal}")',
        'if len(signal) > 500:',
        '    # Every pair of readings, held at once.',
        '    pairs = b"x" * (256 * 2**20)',
        '    time.sleep(1)'
      ].join('\n'),
      [
        'labscale.metric(peak=max(signal), mean=sum(signal) / len(signal))',
        '(labscale.output() / "peak.txt").write_text(str(max(signal)))'
      ].join('\n')
    ]
  });
  const set = await project.saveParameters(analysis, { name: 'strict', values: { least_signal: 0.2 } });
  return { dataset, set };
}

test('a trial is released, failures are grouped, looked into, and tried again with more memory', async ({
  page,
  project
}) => {
  const { dataset, set } = await plateReadings(project);
  const run = await project.promote(dataset, [set], {
    name: 'fit on Plate readings',
    trial: { count: 6, order: 'first' },
    resources: { memoryBytes: 160 * mebibyte, retries: 0 }
  });
  await project.untilSettled(run);
  const dialog = page.getByRole('dialog');
  const failures = page.getByRole('region', { name: 'Failures' });
  const task = page.getByLabel('Selected task');

  await test.step('the trial waits for its release, and says so in the sidebar and on its page', async () => {
    await page.getByRole('tab', { name: 'Labscale' }).click();
    const row = page.getByRole('option', { name: /fit on Plate readings/ });
    await expect(row).toContainText('waiting for release');
    await row.click();
    await expect(page.getByText(/^6 succeeded/)).toBeVisible();
    await expect(page.getByRole('region', { name: 'Charts' }).locator('canvas, svg').first()).toBeVisible();
    await look(page, 'trial');
    await page.getByRole('button', { name: 'Release 18 tasks' }).click();
    await expect(page.getByRole('button', { name: /^Release/ })).toHaveCount(0);
  });

  await test.step('failures that are alike stand together, first in time first', async () => {
    await expect(failures.getByText('2 kinds')).toBeVisible({ timeout: runTimeout });
    await expect(failures.getByRole('listitem')).toHaveCount(2);
    const memory = failures.getByRole('listitem').filter({ hasText: 'out of memory' });
    const exception = failures.getByRole('listitem').filter({ hasText: 'ValueError' });
    await expect(memory.locator('summary')).toContainText('2');
    await expect(exception.locator('summary')).toContainText('2');
    await exception.locator('summary').click();
    await expect(exception.locator('pre')).toContainText('the strongest signal is');
  });

  await test.step('the log of the first one is one click away', async () => {
    const exception = failures.getByRole('listitem').filter({ hasText: 'ValueError' });
    // Two tasks run at a time: which of the two that fail is the first, the group says.
    const [, plate, well] = /in plate (\d), well (\d)/.exec((await exception.textContent()) ?? '') ?? [];
    await exception.getByRole('button', { name: 'Show its log' }).click();
    await expect(task.getByRole('heading')).toContainText(`plate-${plate}_well-${well}.csv`);
    await expect(task.getByLabel(/^Log of task/)).toContainText('90 readings');
    await expect(task.getByLabel(/^Log of task/)).toContainText('ValueError');
    await expect(task).toBeFocused();
    await look(page, 'failed-run');
  });

  await test.step('a search goes through the logs of all tasks', async () => {
    await page.getByPlaceholder('Search the logs of all tasks').fill('900 readings');
    await page.keyboard.press('Enter');
    const matches = page.locator('.jp-Labscale-LogSearch-matches').getByRole('listitem');
    await expect(matches).toHaveCount(2);
    await matches.first().click();
    await expect(task.getByRole('heading')).toContainText('plate-3_well-6.csv');
  });

  await test.step('a group is tried again with more memory, in the same run', async () => {
    const memory = failures.getByRole('listitem').filter({ hasText: 'out of memory' });
    await memory.locator('summary').click();
    await memory.getByRole('button', { name: 'Retry this group with…' }).click();
    await expect(dialog.getByText('Run 2 failed tasks again')).toBeVisible();
    // A dialog focuses its first field once it is drawn, and takes what is being typed with it.
    await expect(dialog.getByLabel('CPUs')).toBeFocused();
    await dialog.getByLabel('Memory (MiB)').fill('640');
    await expect(dialog.getByLabel('Memory (MiB)')).toHaveValue('640');
    await look(page, 'retry');
    await page.keyboard.press('Enter');
    await expect(dialog).toHaveCount(0);
    await expect(failures.getByText('1 kind')).toBeVisible({ timeout: runTimeout });
    await expect(page.getByText('22 succeeded', { exact: true })).toBeVisible({ timeout: runTimeout });
    await expect(task.getByRole('button', { name: 'Attempt 2' })).toHaveAttribute('aria-pressed', 'true');
  });

  await test.step('the table shows only what failed', async () => {
    await page.getByRole('region', { name: 'Tasks' }).getByRole('button', { name: 'Table' }).click();
    await page.getByLabel('Only tasks that are').selectOption('failed');
    await expect(page.getByRole('listbox', { name: '2 tasks' }).getByRole('option')).toHaveCount(2);
  });

  await test.step('what succeeded can be published without the rest', async () => {
    await page.getByRole('button', { name: 'Publish what succeeded' }).click();
    await dialog.getByRole('button', { name: 'Publish' }).click();
    const main = page.getByRole('main');
    await expect(main.getByRole('button', { name: 'Open results' })).toBeVisible();
    await expect(main.getByRole('button', { name: /^Retry/ })).toHaveCount(0);
  });
});

test('a run is followed while it goes, and stopped', async ({ page, project }) => {
  for (let at = 1; at <= 6; at += 1) project.write({ [`slow/part-${at}.txt`]: String(at) });
  const dataset = await project.registerDataset('Slow parts', 'slow', 'part-{part}.txt');
  const analysis = await project.registerNotebook('wait.ipynb', {
    parameters: 'steps = 600',
    cells: ['import time\nfor step in range(steps):\n    print(f"step {step}", flush=True)\n    time.sleep(0.2)']
  });
  const set = await project.saveParameters(analysis, { name: 'long', values: { steps: 600 } });
  const run = await project.promote(dataset, [set], { name: 'wait on Slow parts' });
  await execute(page, 'labscale:open-run', { runId: run.id, taskIndex: 0 });
  const log = page.getByLabel('Log of task 1, attempt 1');

  await test.step('the log grows under the eyes of the reader', async () => {
    await expect(log).toContainText('step 1\n', { timeout: runTimeout });
    const before = (await log.textContent())?.length ?? 0;
    await expect.poll(async () => (await log.textContent())?.length ?? 0).toBeGreaterThan(before);
    await look(page, 'run-in-progress');
  });

  await test.step('stopping asks first, ends what runs and publishes nothing', async () => {
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await expect(page.getByRole('dialog')).toContainText('nothing is published');
    await page.getByRole('dialog').getByRole('button', { name: 'Stop' }).click();
    await expect(page.getByText('6 stopped', { exact: true })).toBeVisible({ timeout: runTimeout });
    await expect(page.getByRole('button', { name: 'Open results' })).toHaveCount(0);
    expect((await project.call('getRun', { params: { runId: run.id } })).derivatives).toBeNull();
  });
});
