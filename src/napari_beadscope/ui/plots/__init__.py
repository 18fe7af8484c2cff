"""What the Plots dock shows, from track rows to curves.

Data (`history`, `samples`, `sources`) feed computed pictures (`figure` and the modules named after
kinds of plots), in a thread (`worker`); only `canvas`, `export` and `palette` know Qt.
"""
