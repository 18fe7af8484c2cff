"""A recipe of each kind to begin with: what one may leave out is there as a comment."""

from __future__ import annotations

_SHARED = """\
# name: {kind}          # of the recording; its folder is <date>_<name>
# folder: ~/beadscope   # default: the settings' folder
# mode: track           # track, track+rois, track+full, rois, full
# note: what is on the slide
# beads: find           # default: those that are tracked; found if there are none
# xy_lock: true         # ROIs follow their beads
# z_lock: reference     # or a bead's number: the focus follows it (needs a Z-LUT)
"""
_MAGNET = """\
motor: magnet
settle_s: 0.5           # wait after each move
# back: false           # leave the motor where it is in the end
"""
_OWN = """\
microscope:             # started only if no engine runs
  camera: simulated
  options: {{beads: 4, fps: 100{more}}}
  motors:
    magnet: {{id: simulated-magnet, options: {{speed: 20}}}}
"""

SAMPLES: dict[str, str] = {
    "force-ramp": f"""\
# The magnet goes from position to position while everything is recorded.
recipe: force-ramp
positions: {{start: 0, stop: 6, steps: 4}}   # or a list: [0, 1, 2.5, 6]
seconds_each: 1.0
# there_and_back: true
{_MAGNET}{_SHARED.format(kind="force-ramp")}{_OWN.format(more="")}""",
    "constant-force": f"""\
# One recording at each force, by a table of force against the magnet's position.
recipe: constant-force
forces_pn: [0.6, 1.2, 2.4]
seconds_each: 1.0
calibration:            # position: force in pN, measured with this magnet and these beads
  0: 0.5
  4: 2.48
  8: 12.3
{_MAGNET}{_SHARED.format(kind="constant-force")}{_OWN.format(more="")}""",
    "force-clamp": f"""\
# The magnet holds the force that the beads' motion shows: F = kT length / <x²>.
recipe: force-clamp
force_pn: 1.0
seconds: 12
length_nm: 850          # of the tethers at that force
window_s: 3             # motion that one look takes in: longer is more exact
units_per_e: 2.5        # the magnet's travel for a force 2.718 times as strong; sign: direction
max_step: 1.0           # the magnet moves by at most this at a time
# gain: 0.5             # share of the error that one step takes away
# axis: x               # direction of the field
# measure: [0, 1]       # beads that count; default all
# temperature_k: 298
# exposure_ms: 5        # if it is not short: what it hides is corrected, with radius_nm: 500
{_MAGNET}{_SHARED.format(kind="force-clamp")}{_OWN.format(more="")}""",
    "time-lapse": f"""\
# A short recording every now and then.
recipe: time-lapse
recordings: 3
every_s: 2.0
seconds_each: 0.5
{_SHARED.format(kind="time-lapse")}{_OWN.format(more="")}""",
}
