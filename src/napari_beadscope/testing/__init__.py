"""The testing kit: what tests of the product, and of cameras written for it, share.

Shipped with the package so that other projects can run the same checks; the product never
imports it.
"""
