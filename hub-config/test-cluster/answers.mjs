// Asks a program of the cluster whether it is well.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { certificate } from './certificates.mjs';

/** GET a URL. Gives {status, body}; over https as the cluster's administrator. */
export function get(url) {
  const secure = url.startsWith('https:');
  const credentials = secure && {
    ca: readFileSync(certificate('ca').certificate),
    cert: readFileSync(certificate('admin').certificate),
    key: readFileSync(certificate('admin').key)
  };
  return new Promise((resolve, reject) => {
    const request = (secure ? https : http).get(url, { ...credentials, agent: false, timeout: 5_000 }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (text) => (body += text));
      answer.on('end', () => resolve({ status: answer.statusCode, body }));
    });
    request.on('timeout', () => request.destroy(new Error(`${url} gave no answer within 5 s`)));
    request.on('error', reject);
  });
}

/** Undefined where a URL answers with 200, else what it answered. */
export async function troubleAt(url) {
  const { status, body } = await get(url);
  return status === 200 ? undefined : `${url} answered ${status} ${body.slice(0, 300)}`;
}
