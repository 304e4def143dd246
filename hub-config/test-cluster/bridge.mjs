// The bridge that pods hang on. It is made before MinIO and the registry start, which listen on its address.
import { existsSync } from 'node:fs';
import { run } from '../../scripts/child.mjs';
import { bridge } from './places.mjs';

const ip = (...args) => run('ip', args);
export const bridgeIsThere = () => existsSync(`/sys/class/net/${bridge.name}`);

/** Make the bridge and give it its address. Rejects where the machine uses these addresses already. */
export async function ensureBridge() {
  if (bridgeIsThere()) return;
  const { stdout } = await ip('route', 'show', 'to', 'match', bridge.subnet);
  const taken = stdout.split('\n').filter((line) => line && !line.startsWith('default'));
  if (taken.length > 0) throw new Error(`The addresses ${bridge.subnet} of the cluster are in use here: ${taken[0]}`);
  await ip('link', 'add', bridge.name, 'type', 'bridge');
  await ip('address', 'add', `${bridge.address}/${bridge.prefix}`, 'dev', bridge.name);
  await ip('link', 'set', bridge.name, 'up');
}

export async function removeBridge() {
  if (bridgeIsThere()) await ip('link', 'delete', bridge.name);
}
