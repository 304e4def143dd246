// The image registry, plain http on the bridge's address.
import { mkdirSync, writeFileSync } from 'node:fs';
import { troubleAt } from './answers.mjs';
import { programOf } from './packages.mjs';
import { inState, onBridge } from './places.mjs';

export const registry = {
  name: 'registry',
  command() {
    const rootdirectory = inState('registry');
    mkdirSync(rootdirectory, { recursive: true });
    const file = inState('registry.json');
    writeFileSync(
      file,
      JSON.stringify({
        version: 0.1,
        log: { level: 'warn', accesslog: { disabled: true } },
        storage: { filesystem: { rootdirectory }, delete: { enabled: true } },
        http: { addr: onBridge('registry') }
      })
    );
    return { program: programOf('docker-registry'), args: ['serve', file] };
  },
  trouble: () => troubleAt(`http://${onBridge('registry')}/v2/`)
};
