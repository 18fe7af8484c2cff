"""Recipes: the common experiments as a few lines of YAML, run like scripts."""

from __future__ import annotations

from napari_beadscope.script.recipes.read import is_recipe, read_recipe, recipe_mistakes

__all__ = ["is_recipe", "read_recipe", "recipe_mistakes"]
