"""Names of layers, short enough for a figure and still different from each other."""

import re
from collections.abc import Sequence

LONGEST = 26
SHORTEST_WORD = 2
LAST_WORTH = 4
CUT = "…"


def short_name(name: str, longest: int = LONGEST) -> str:
    """Shorten a long name by its longest words, keeping the numbers that tell layers apart.

    Parameters
    ----------
    name : str
        A layer's, tensor's or configuration's name.
    longest : int
        Most letters.

    Returns
    -------
    str
        The name itself where it is short enough; else ``model.layers.10.self_attn.q_proj`` becomes
        ``model.la….10.self….q_proj``, and what is too long even so is cut in its middle.
    """
    words = re.split(r"([.\d]+)", name)
    if len(words) == 1:
        return _cut_middle(name, longest)
    while sum(map(len, words)) > longest:
        place = max(range(0, len(words), 2), key=lambda place: _spare(words, place))
        if len(words[place]) <= SHORTEST_WORD:
            return _cut_middle("".join(words), longest)
        words[place] = words[place].rstrip(CUT)[: len(words[place]) - 2] + CUT
    return "".join(words)


def _spare(words: list[str], place: int) -> int:
    """Say how much a word can spare; the last one, which says what a layer does, spares less."""
    return len(words[place]) - (LAST_WORTH if place == len(words) - 1 and len(words[place]) > SHORTEST_WORD else 0)


def short_names(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Shorten names that stand in one figure, less where two would become the same.

    Parameters
    ----------
    names : sequence of str
        Different names.
    longest : int
        Most letters, unless it takes more to tell them apart.

    Returns
    -------
    list of str
        As different as the names are, ready for matplotlib: a "$" would otherwise start mathematics.
    """
    while len({short_name(name, longest) for name in names}) < len(set(names)):
        longest += 2
    return [plain(short_name(name, longest)) for name in names]


def plain(text: str) -> str:
    """Write text such that matplotlib shows it as it is."""
    return text.replace("$", r"\$")


def _cut_middle(name: str, longest: int) -> str:
    """Cut a name in its middle, keeping both ends."""
    if len(name) <= longest:
        return name
    return f"{name[: longest // 2 - 1]}{CUT}{name[-(longest // 2) :]}"
