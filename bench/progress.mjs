/** Says on standard error what goes on: standard output keeps its last line for the figures. */
export function say(text) {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}
