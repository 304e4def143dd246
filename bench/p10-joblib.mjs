import { measureFunction } from './function-per-shard.mjs';

export const title = 'half a second of numpy a shard, against a bare joblib loop with two processes';
export const unit = 's';
export const sizes = { shards: 64, milliseconds: 500, pairs: 5 };
export const roughSizes = { shards: 16, milliseconds: 500, pairs: 2 };
export const goals = [{ figure: 'ratio', says: "our time over joblib's loop", atMost: 1.15 }];

export const measure = (given) => measureFunction('joblib_loop.py', ['joblib'], given);
