"""Times and amounts as people say them.

Owns the words only.
"""

from __future__ import annotations


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds, with hours if need be.

    Examples
    --------
    >>> clock(75), clock(3675)
    ('1:15', '1:01:15')
    """
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours:
        return f"{hours}:{minutes:02d}:{whole % 60:02d}"
    return f"{minutes}:{whole % 60:02d}"


def duration_text(seconds: float) -> str:
    """Return a duration in the unit one thinks in: minutes, for long ones hours or days.

    Examples
    --------
    >>> duration_text(90), duration_text(5400), duration_text(36000), duration_text(1e7)
    ('1.5 min', '90 min', '10 h', '116 days')
    """
    minutes = seconds / 60
    if minutes < 10:
        return f"{minutes:.1f} min"
    if minutes < 180:
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.0f} h" if hours < 96 else f"{hours / 24:.0f} days"


def bytes_text(count: float) -> str:
    """Return bytes in kB, MB, GB or TB (powers of ten).

    Examples
    --------
    >>> bytes_text(5.2e8), bytes_text(4.12e11), bytes_text(2.5e12), bytes_text(6400)
    ('520 MB', '412 GB', '2.5 TB', '6 kB')
    """
    if count < 1e6:
        return f"{count / 1e3:.0f} kB"
    if count < 1e9:
        return f"{count / 1e6:.0f} MB"
    if count < 1e12:
        return f"{count / 1e9:.3g} GB"
    return f"{count / 1e12:.1f} TB"
