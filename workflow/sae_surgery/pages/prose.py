"""A check of the manuscript's source: results are quoted by their keys and never written out."""

import re

SETTINGS = ("Problem and methods",)
"""Sections that may hold numbers: settings, which no rule computes."""

_HEADING = re.compile(r"^= (.+?)\s*$")
_NOT_PROSE = re.compile(
    r"//.*"  # comments
    r"|\"(?:[^\"\\]|\\.)*\""  # strings, with keys of numbers
    r"|@[\w.:-]+"  # references
    r"|\b\d+(?:\.\d+)?(?:pt|em|mm|cm|in|fr)\b"  # lengths
)
_RESULT = re.compile(r"(?<![\w.])\d+\.\d+(?!\w|\.\d)|(?<![\w.])\d+(?=\s*(?:%|per cent))")


def bare_numbers(text: str) -> list[tuple[int, str]]:
    """Return decimals and percentages that stand in the prose, with their lines.

    Parameters
    ----------
    text
        Typst source. The sections named in `SETTINGS` are left out, as are comments, strings and
        lengths.
    """
    found, section = [], ""
    for number, line in enumerate(text.splitlines(), start=1):
        heading = _HEADING.match(line)
        section = heading[1] if heading else section
        if section not in SETTINGS:
            prose = _NOT_PROSE.sub(" ", line)
            found += [(number, match[0]) for match in _RESULT.finditer(prose)]
    return found
