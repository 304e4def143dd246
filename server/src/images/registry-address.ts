import { BlockList, isIP } from 'node:net';

const own = new BlockList();
own.addSubnet('0.0.0.0', 8, 'ipv4');
own.addSubnet('127.0.0.0', 8, 'ipv4');
own.addSubnet('169.254.0.0', 16, 'ipv4');
own.addSubnet('224.0.0.0', 3, 'ipv4');
own.addAddress('::', 'ipv6');
own.addAddress('::1', 'ipv6');
own.addSubnet('fe80::', 10, 'ipv6');
own.addSubnet('ff00::', 8, 'ipv6');
own.addSubnet('::ffff:0.0.0.0', 104, 'ipv6');
own.addSubnet('::ffff:127.0.0.0', 104, 'ipv6');
own.addSubnet('::ffff:169.254.0.0', 112, 'ipv6');

/**
 * Whether a registry that the administrator allowed by its name may be asked at an address that the name stands for. A
 * private network is where registries of a cluster are; but the machine itself and the link-local addresses, at which
 * clouds hand out credentials, are never meant by a name: who controls that name could point it there. They can be listed as
 * addresses, which are asked without a look-up.
 */
export function mayStandFor(host: string, address: string): boolean {
  if (host === 'localhost') return true;
  const family = isIP(address);
  return family !== 0 && !own.check(address, family === 6 ? 'ipv6' : 'ipv4');
}
