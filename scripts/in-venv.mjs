// Runs a command of the project's Python environment: `node scripts/in-venv.mjs ruff check .`
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { venvProgram } from './repository.mjs';

const [name, ...args] = process.argv.slice(2);
if (!name) {
  console.error('Usage: node scripts/in-venv.mjs COMMAND [ARGUMENT...]');
  process.exit(2);
}
const program = venvProgram(name);
if (!existsSync(program)) {
  console.error(`${program} is missing; run \`npm run setup\` first.`);
  process.exit(1);
}
process.exit(spawnSync(program, args, { stdio: 'inherit' }).status ?? 1);
