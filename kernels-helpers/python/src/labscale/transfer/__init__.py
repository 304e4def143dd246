"""Carries shards from the object store to a program that has no credentials, and its outputs back.

`python3 -m labscale.transfer pod | local | bring`; ARCHITECTURE.md tells what each does.
"""
