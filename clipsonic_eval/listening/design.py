"""Which listener hears which clip, and in which order: balanced whatever the number of listeners turns out to be.

A *treatment* is what is done to a query: one of the systems, or an ordered pair of them. Queries are cut into equal
blocks, one block a listener, and once every query was heard, a new *pass* cuts them anew at random. A listener's block
follows from the seed and his number alone, so lists never depend on who comes later. For any number of listeners:

- no listener hears a query twice, and hears all treatments equally often;
- all queries, all treatments, and all treatments of any query were used equally often;

where *equally often* means that counts differ by one at most. To see that this is possible, number the places of all
passes consecutively and let place P have treatment P mod T: then any stretch of places is balanced. Over T passes a
query must meet each treatment once, that is, walk through the treatments by a permutation. With N[r, s] the number of
places of pass r that have treatment s, all rows and columns of N sum to the number of queries, so N is a sum of as many
permutation matrices: :func:`walk` is such a decomposition in closed form.

Order within a list: rows of Williams' Latin squares. Over T listeners (2 T where T is odd) every treatment stands
equally often at each place and directly after each other one, as long as a list is made of whole rows.

Source: E. J. Williams, Experimental designs balanced for the estimation of residual effects of treatments, 1949;
G. Birkhoff, Tres observaciones sobre el álgebra lineal, 1946; D. de Werra, Scheduling in sports, 1981 (pairs).
"""

from __future__ import annotations

import math

from clipsonic_eval import seeds
from clipsonic_eval.errors import ShapeError


def n_blocks(n_queries: int, clips: int) -> int:
    """Return into how many blocks the queries are cut, so that none is longer than ``clips``.

    Example:
        >>> n_blocks(100, 30)
        4
    """
    return -(-n_queries // max(1, clips))


def walk(kind: int, step: int, treatments: int, queries: int) -> int:
    """Return the treatment that the queries of one kind have in a pass.

    Args:
        kind: of the query, 0 to ``queries`` − 1, each kind once.
        step: number of the pass, counted anew after ``treatments`` passes.
        treatments: number of treatments.
        queries: number of queries.

    Example:
        >>> [[walk(kind, step, 3, 4) for step in range(3)] for kind in range(4)]
        [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]
    """
    rest = queries % treatments
    if kind < queries - rest:
        return (kind + step) % treatments
    shared = math.gcd(rest, treatments)
    turn, within = divmod(step, treatments // shared)
    return (within * rest + (kind + turn) % rest) % treatments


def block(listener: int, treatments: int, queries: int, blocks: int, seed: int) -> list[tuple[int, int]]:
    """Return what a listener hears, not yet in its final order.

    Args:
        listener: his number, from 0.
        treatments: number of treatments.
        queries: number of queries.
        blocks: into which they are cut.
        seed: of the design.

    Returns:
        (query, treatment) pairs, in an order in which any stretch has all treatments equally often.

    Raises:
        ShapeError: a number is not positive, or there are more blocks than queries.
    """
    if min(treatments, queries, blocks) < 1 or blocks > queries or listener < 0:
        raise ShapeError(
            f"a design needs treatments, queries and as many blocks at most, got {treatments}, {queries} and {blocks}"
        )
    number, part = divmod(listener, blocks)
    cycle, step = divmod(number, treatments)
    kinds = seeds.stream(seed, str(cycle), "listening-walks").permutation(queries)
    names = seeds.stream(seed, "", "listening-treatments").permutation(treatments)
    order = seeds.stream(seed, str(number), "listening-queries").permutation(queries)
    waiting: dict[int, list[int]] = {}
    for query in order:
        waiting.setdefault(walk(int(kinds[query]), step, treatments, queries), []).append(int(query))
    placed = [(number * queries + place) % treatments for place in range(queries)]
    heard = [(waiting[treatment].pop(), int(names[treatment])) for treatment in placed]
    return heard[part * queries // blocks : (part + 1) * queries // blocks]


def williams_row(n: int, row: int) -> list[int]:
    """Return a row of Williams' square of n treatments, or of its mirror image for odd ``row``.

    Any n consecutive even numbers of rows (and the odd ones after them) make the squares complete: n rows for even n,
    2 n for odd n.

    Example:
        >>> [williams_row(4, row) for row in range(4)]
        [[0, 1, 3, 2], [2, 3, 1, 0], [1, 2, 0, 3], [3, 0, 2, 1]]
    """
    # 0, 1, n − 1, 2, n − 2, …: neighbours differ by each number once
    zigzag = [(place + 1) // 2 if place % 2 else -(place // 2) for place in range(n)]
    shifted = [(value + row // 2) % n for value in zigzag]
    return shifted[::-1] if row % 2 else shifted


def in_williams_order(heard: list[tuple[int, int]], listener: int, treatments: int) -> list[tuple[int, int]]:
    """Return what a listener hears in the order of presentation.

    Rows of Williams' square follow each other so that the steps from row to row take turns over all differences, never
    zero: no treatment follows itself. What is left beyond whole rows comes last, in the order of a row.

    Args:
        heard: (query, treatment) pairs from :func:`block`.
        listener: his number.
        treatments: number of treatments.
    """
    waiting: dict[int, list[int]] = {}
    for query, treatment in heard:
        waiting.setdefault(treatment, []).append(query)
    rows = len(heard) // treatments
    shift, order = listener // 2, list[int]()
    base = williams_row(treatments, 0)
    for number in range(rows + 1):
        row = [(value + shift) % treatments for value in base]
        order += row if number < rows else [t for t in row if len(waiting.get(t, ())) > rows]
        difference = 1 + number % (treatments - 1) if treatments > 1 else 0
        shift += base[-1] + difference - base[0]
    if listener % 2:
        order = order[::-1]
    return [(waiting[treatment].pop(), treatment) for treatment in order]


def ordered_pairs(n: int) -> list[tuple[int, int]]:
    """Return all ordered pairs of n systems, so that any stretch has all systems, left and right, about equally often.

    A round-robin tournament in which sides alternate by de Werra's pattern, then the same with sides exchanged.

    Example:
        >>> ordered_pairs(3)
        [(1, 2), (2, 0), (0, 1), (2, 1), (0, 2), (1, 0)]
    """
    teams = n + n % 2  # with an odd number, the last one is a bye
    rounds = teams - 1
    found = []
    for number in range(rounds):
        games = [(teams - 1, number) if number % 2 else (number, teams - 1)]
        for k in range(1, teams // 2):
            one, other = (number + k) % rounds, (number - k) % rounds
            games.append((one, other) if k % 2 else (other, one))
        found += [game for game in games if max(game) < n]
    return found + [(b, a) for a, b in found]
