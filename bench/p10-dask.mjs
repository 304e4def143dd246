import { measureFunction } from './function-per-shard.mjs';

export const title = 'half a second of numpy a shard, against a dask LocalCluster of two workers that is up already';
export const unit = 's';
export const sizes = { shards: 64, milliseconds: 500, pairs: 5 };
export const roughSizes = { shards: 16, milliseconds: 500, pairs: 2 };
export const goals = [{ figure: 'ratio', says: "our time over dask's map and gather", atMost: 1.15 }];

export const measure = (given) => measureFunction('dask_cluster.py', ['dask', 'distributed'], given);
