"""The simulated Shopify store: a test bench and demo that is reached over HTTP alone.

CONTRIBUTING.md says how it is itself checked, and what it does not simulate.
"""
