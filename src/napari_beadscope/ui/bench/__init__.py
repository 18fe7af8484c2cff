"""What `beadscope bench view` runs: live views in processes of their own, and their clock.

Owns what is measured. Must not know what is made of the figures.
"""
