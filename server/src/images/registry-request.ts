import { lookup } from 'node:dns';
import { request as plainRequest, type IncomingHttpHeaders } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { mayStandFor } from './registry-address.js';

export interface RegistryAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** The name of a registry stands for an address that may not be asked; no socket was opened. */
export class AddressRefused extends Error {}
/** The answer is longer than was asked for. */
export class AnswerTooLarge extends Error {}

/**
 * One GET, redirects not followed. Raises AddressRefused, AnswerTooLarge, the signal's reason, or the error of the
 * connection. Not fetch: the address is to be looked at between the look-up of the name and the connection to it.
 */
export function getFromRegistry(
  url: URL,
  headers: Record<string, string>,
  largestBytes: number,
  signal: AbortSignal
): Promise<RegistryAnswer> {
  const checked: LookupFunction = (host, options, answer) => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error) return answer(error, '', 0);
      const refused = addresses.find(({ address }) => !mayStandFor(host, address));
      const [first] = addresses;
      if (refused !== undefined || first === undefined) {
        return answer(new AddressRefused(`${host} stands for ${refused?.address ?? 'no address'}`), '', 0);
      }
      if (options.all === true) answer(null, addresses);
      else answer(null, first.address, first.family);
    });
  };
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'http:' ? plainRequest : secureRequest;
    // No agent: a registry is asked seldom, and a kept connection would hold the server back from stopping.
    const request = send(url, { headers, signal, lookup: checked, agent: false }, (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes > largestBytes) response.destroy(new AnswerTooLarge(`more than ${largestBytes} bytes`));
        else parts.push(part);
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) })
      );
    });
    request.on('error', (error) => reject(signal.aborted ? (signal.reason as Error) : error));
    request.end();
  });
}
