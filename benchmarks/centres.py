"""Ways to find the centre of a bead that others have published, for comparison.

Plain numpy after the papers' descriptions, made to be read and not to be fast. Used by
`accuracy.py` alone; the product has none of it.
"""

from __future__ import annotations

import numpy as np

#: Of quadrant interpolation: samples per px of radius and angles per quadrant, as QTrk suggests.
_RADIAL, _ANGLES, _ROUNDS = 4, 24, 5


def centre_of_mass(stack: np.ndarray) -> np.ndarray:
    """Return x, y ``(n, 2)``: the mean place weighted by |pixel less median|.

    That is magtrack's first step too.
    """
    grid = np.arange(stack.shape[1])
    weight = np.abs(stack - np.median(stack, axis=(1, 2), keepdims=True))
    total = weight.sum(axis=(1, 2))
    x = (weight.sum(axis=1) * grid).sum(axis=1) / total
    y = (weight.sum(axis=2) * grid).sum(axis=1) / total
    return np.column_stack([x, y])


def cross_correlation(stack: np.ndarray) -> np.ndarray:
    """Return x, y by convolving the rows and columns about the middle with themselves.

    C. Gosse and V. Croquette, Biophys. J. 82 (2002) 3314: the peak of the convolution is at twice
    the centre of symmetry.
    """
    size = stack.shape[1]
    seed = centre_of_mass(stack)
    found = np.empty((len(stack), 2))
    for at, image in enumerate(stack):
        for axis in (0, 1):
            middle = int(np.clip(round(seed[at, 1 - axis]), 6, size - 7))
            band = image[middle - 5 : middle + 6] if axis == 0 else image.T[middle - 5 : middle + 6]
            line = band.mean(axis=0)
            found[at, axis] = _mirror_centre(line - line.mean())
    return found


def _mirror_centre(line: np.ndarray) -> float:
    """Return the place about which `line` is most alike to its mirror image."""
    folded = np.convolve(line, line)
    return _vertex(folded) / 2


def _vertex(values: np.ndarray) -> float:
    """Return the peak's place from a parabola through seven points."""
    top = int(np.clip(np.argmax(values), 3, len(values) - 4))
    square, slope, _ = np.polyfit(np.arange(-3, 4), values[top - 3 : top + 4], 2)
    return top - slope / (2 * square) if square < 0 else float(top)


def quadrant_interpolation(stack: np.ndarray) -> np.ndarray:
    """Return x, y by quadrant interpolation.

    M. T. J. van Loenhout et al., Biophys. J. 102 (2012) 2362: radial profiles of the four
    quadrants, joined to a left-right and an up-down profile; the mirror centre of each, times
    pi / 4, is how far the assumed centre is off; repeated.
    """
    from scipy.ndimage import map_coordinates

    size = stack.shape[1]
    radius = np.arange(1, (size / 2 - 2) * _RADIAL) / _RADIAL
    angle = (np.arange(_ANGLES) + 0.5) / _ANGLES * np.pi / 2
    along, across = np.outer(radius, np.cos(angle)), np.outer(radius, np.sin(angle))
    found = cross_correlation(stack)
    for centre, image in zip(found, stack, strict=True):
        image = image - image.mean()
        for _ in range(_ROUNDS):
            quadrant = {}
            for right in (1, -1):
                for down in (1, -1):
                    places = (centre[1] + down * across, centre[0] + right * along)
                    samples = map_coordinates(image, places, order=1, cval=0.0)
                    quadrant[right, down] = samples.mean(axis=1)
            for axis in (0, 1):
                ahead = sum(q for key, q in quadrant.items() if key[axis] > 0)
                behind = sum(q for key, q in quadrant.items() if key[axis] < 0)
                line = np.concatenate([behind[::-1], ahead])
                off = _vertex(np.convolve(line - line.mean(), line - line.mean()))
                off -= len(line) - 1
                centre[axis] += off / _RADIAL * np.pi / 4
            np.clip(centre, 0, size - 1, out=centre)
    return found


def radial_symmetry(stack: np.ndarray) -> np.ndarray:
    """Return x, y as the point nearest to all lines along the gradient.

    R. Parthasarathy, Nature Methods 9 (2012) 724.
    """
    u = stack[:, 1:, 1:] - stack[:, :-1, :-1]  # along the diagonals between four pixels
    v = stack[:, 1:, :-1] - stack[:, :-1, 1:]
    u, v = _smoothed(u), _smoothed(v)
    gx, gy = u - v, u + v
    grid = np.arange(stack.shape[1] - 1) + 0.5
    x, y = np.broadcast_to(grid, gx.shape), np.broadcast_to(grid[:, np.newaxis], gx.shape)
    strength = gx**2 + gy**2
    total = strength.sum(axis=(1, 2))
    middle_x = ((strength * x).sum(axis=(1, 2)) / total)[:, np.newaxis, np.newaxis]
    middle_y = ((strength * y).sum(axis=(1, 2)) / total)[:, np.newaxis, np.newaxis]
    # squared distance to a line: (gy (x - px) - gx (y - py))² / |g|²; weight |g|² / distance
    weight = 1 / np.maximum(np.hypot(x - middle_x, y - middle_y), 0.5)
    a, b, c = (weight * gy**2), (weight * gx * gy), (weight * gx**2)
    aa, bb, cc = (term.sum(axis=(1, 2)) for term in (a, b, c))
    px = (a * x - b * y).sum(axis=(1, 2))
    py = (c * y - b * x).sum(axis=(1, 2))
    det = aa * cc - bb**2
    return np.column_stack([(cc * px + bb * py) / det, (bb * px + aa * py) / det])


def _smoothed(gradient: np.ndarray) -> np.ndarray:
    from scipy.ndimage import uniform_filter

    return uniform_filter(gradient, size=(0, 3, 3), mode="nearest")


CENTRES = {
    "centre of mass": centre_of_mass,
    "cross-correlation": cross_correlation,
    "quadrant interpolation": quadrant_interpolation,
    "radial symmetry": radial_symmetry,
}
