"""Tune on a snippet, run on every shard: what a notebook imports, the worker, and the `labscale` command."""
