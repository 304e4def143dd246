import { hash } from 'node:crypto';
import type { ExitKind } from '@labscale/schema';

const maximumTextLength = 8_192;

/** Failures are alike when only what differs from task to task by nature differs: numbers, addresses, names of folders, data. */
export function normalizeFailure(text: string, shardKey: string | undefined): string {
  const readable = readableFailure(text);
  return (
    (shardKey === undefined ? readable : withoutWord(readable, shardKey))
      .replace(/\b0x[0-9a-fA-F]+\b/g, '0x…')
      .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '…')
      .replace(/\b[0-9a-f]{32,}\b/gi, '…')
      // Keeps the name of the file: two programs that fail at one line number are not alike.
      .replace(/(?:[A-Za-z]:)?(?:[\\/][^\s'"<>:;,()\\/]+)+[\\/]([^\s'"<>:;,()\\/]+)/g, '…/$1')
      .replace(/\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, 'N')
      .split('\n')
      .map((line) => line.trimEnd())
      .filter((line) => line !== '')
      .join('\n')
  );
}

/** Equal for like failures: `fg-` and 20 hex digits. */
export function failureGroupOf(exitKind: ExitKind, text: string, shardKey: string | undefined): string {
  return `fg-${hash('sha256', `${exitKind}\n${normalizeFailure(text, shardKey)}`).slice(0, 20)}`;
}

/** What a person reads first: the last line, which in a traceback says what went wrong. */
export function failureTitle(text: string): string {
  const lines = withoutTerminalCodes(text)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return (lines.at(-1) ?? '').slice(0, 500);
}

/** Colour and cursor codes removed, at most 8 KiB; of a longer text the end is kept, where a traceback says what happened. */
export function readableFailure(text: string): string {
  const plain = withoutTerminalCodes(text);
  return plain.length <= maximumTextLength ? plain : `…${plain.slice(1 - maximumTextLength)}`;
}

function withoutWord(text: string, word: string): string {
  const escaped = word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return text.replace(new RegExp(`(?<![\\p{L}\\p{N}])${escaped}(?![\\p{L}\\p{N}])`, 'gu'), '…');
}

function withoutTerminalCodes(text: string): string {
  return text
    .replace(/\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[@-_]/g, '')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '');
}
