"""What a privacy mask must be, so that it covers what the person who drew it saw. No I/O."""

from collections.abc import Sequence

from alpr_ingest.domain import Polygon
from alpr_ingest.refusals import MaskCrossesItself

_Corner = tuple[float, float]
_Side = tuple[_Corner, _Corner]


def refuse_masks_that_cross_themselves(masks: Sequence[Polygon]) -> None:
    """Raise `MaskCrossesItself` where an outline meets itself: crosses, touches or runs along it.

    A filling leaves out what an outline goes round twice, so such a mask may show what somebody
    takes for covered. An outline that never meets itself covers its whole inside (Jordan).
    """
    for number, mask in enumerate(masks, 1):
        found = sides_that_meet(mask)
        if found is None:
            continue
        one, other = found
        raise MaskCrossesItself(
            f"Mask {number} of {len(masks)}: its side from corner {one} meets the one from corner "
            f"{other}. What an outline goes round twice would not be covered. Put the corners in "
            "the order in which they follow each other, or draw two masks. Nothing was saved.",
            mask=number,
            sides=[one, other],
        )


def sides_that_meet(mask: Polygon) -> tuple[int, int] | None:
    """Two sides of the outline that share more than the corner between neighbours, by the numbers
    (from 1) of the corners where they begin; None where there are none.

    Corners given twice in a row (or the first again as the last) count once.
    """
    numbers = [at for at, corner in enumerate(mask) if corner != mask[at - 1]]
    if len(numbers) < 3:  # a line or a point: it covers nothing, whichever sides are named
        return 1, 2
    count = len(numbers)
    sides = [(mask[at], mask[numbers[(n + 1) % count]]) for n, at in enumerate(numbers)]
    spans = [(min(a[0], b[0]), max(a[0], b[0])) for a, b in sides]
    from_the_left = sorted(range(count), key=lambda n: spans[n])
    for position, n in enumerate(from_the_left, 1):
        for m in from_the_left[position:]:
            if spans[m][0] > spans[n][1]:
                break  # this one and all after it begin further right
            if _meet(sides, *sorted((n, m))):
                return numbers[min(n, m)] + 1, numbers[max(n, m)] + 1
    return None


def _meet(sides: Sequence[_Side], n: int, m: int) -> bool:
    if m == n + 1:
        return _turns_back(*sides[n], sides[m][1])
    if (m + 1) % len(sides) == n:
        return _turns_back(*sides[m], sides[n][1])
    (a, b), (c, d) = sides[n], sides[m]
    c_lies, d_lies, a_lies, b_lies = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if c_lies * d_lies < 0 and a_lies * b_lies < 0:
        return True
    return (
        (c_lies == 0 and _between(a, b, c))
        or (d_lies == 0 and _between(a, b, d))
        or (a_lies == 0 and _between(c, d, a))
        or (b_lies == 0 and _between(c, d, b))
    )


def _turns_back(a: _Corner, b: _Corner, c: _Corner) -> bool:
    """Whether the outline goes from a to b and then back over the same line."""
    onwards = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
    return _turn(a, b, c) == 0 and onwards < 0


def _turn(a: _Corner, b: _Corner, c: _Corner) -> float:
    """Positive where c lies on one side of the line from a to b, negative on the other."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _between(a: _Corner, b: _Corner, point: _Corner) -> bool:
    """Whether a point on the line through a and b lies between them, or on one of them."""
    return all(
        min(one, other) <= at <= max(one, other) for one, other, at in zip(a, b, point, strict=True)
    )
