"""What the supervisor remembers about what moves: claims on motors, and orders of the locks.

Values only; the rules are in `core.session_motors` and `core.session_locks`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from napari_beadscope.core.orders import LookOnce


@dataclass(frozen=True, slots=True)
class Claim:
    """A motor that one front end has for itself.

    Parameters
    ----------
    client : int
        Whose it is; `NOBODY` once that front end has gone.
    back_to : float
        Where the motor goes when the claim ends, in its unit.
    why : str
        What moves it, such as 'a Z-LUT sweep'.
    asker : (client, request), optional
        Who is answered when it is back.
    back_since_s : float, optional
        Since when it is to go back, monotonic s; None while it is held.
    order : int
        Number of the move back; 0 while the motor cannot be told.
    on_its_way : bool
        Whether the motor has taken that order.
    """

    client: int
    back_to: float
    why: str
    asker: tuple[int, int] | None = None
    back_since_s: float | None = None
    order: int = 0
    on_its_way: bool = False

    @property
    def ends(self) -> bool:
        """Whether the motor is to go back."""
        return self.back_since_s is not None


#: As `Claim.client`: the front end has gone.
NOBODY = -1


@dataclass(frozen=True, slots=True)
class Motion:
    """Who moves which motor: claims, who has sent a motor last, and who has said goodbye."""

    claims: dict[str, Claim] = field(default_factory=dict)
    sent_by: dict[str, int] = field(default_factory=dict)
    leaving: frozenset[int] = frozenset()

    def claimant(self, motor: str) -> str:
        """Return what has a motor for itself, '' for nothing.

        Examples
        --------
        >>> Motion({"focus": Claim(1, 0.0, "a Z-LUT sweep", back_since_s=2.0)}).claimant("focus")
        'the way back after a Z-LUT sweep'
        """
        claim = self.claims.get(motor)
        if claim is None:
            return ""
        return f"the way back after {claim.why}" if claim.ends else claim.why


@dataclass(frozen=True, slots=True)
class Steering:
    """What the supervisor remembers about the locks.

    The numbers that the present locks began with, that of the last order to the focus motor and
    of the last recording whose manifest says that ROIs move; ``looks`` wait for the control
    process to be ready.
    """

    xy_number: int = 0
    z_number: int = 0
    move_number: int = 0
    remarked: int = 0
    looks: tuple[LookOnce, ...] = ()
