"""The napari front end: docks, live view, reader and sample data.

Three layers, each knowing only the one before it: models hold what is true, presenters turn
intentions into calls of `Scope` and values into words, docks are thin Qt. This is the only
package that imports Qt or napari. It decides nothing about an experiment: the engine does.
"""
