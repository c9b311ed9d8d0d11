"""The proofs of what the stores promise: `python -m tests.torture NAME --seeds 0:100` prints a line of JSON.

A proof tries to break one promise, and counts. Each has *controls*: the same proof with one rule of the store
switched off, in which it must find fault, so that it is known to see. The switches are here, never in the product.
"""
