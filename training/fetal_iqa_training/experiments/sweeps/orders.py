"""In which order sweeps are done: exact expectations over all orders, from all sets of sweeps.

A set of sweeps is a number whose bits say which are in it: 5 is sweeps 0 and 2. What depends on the
sweeps that were done, and not on their order, is an array over these 2^n numbers.
"""

from math import comb, factorial

import numpy as np
from numpy.typing import NDArray

MOST_SWEEPS = 12
"""The sets double with each sweep."""


def sets_of_sweeps(n_sweeps: int) -> list[tuple[int, ...]]:
    """Return the sweeps of each set, rising; the first set is empty, the last is all.

    Raises
    ------
    ValueError
        Where there are no sweeps, or more than 12.
    """
    if not 1 <= n_sweeps <= MOST_SWEEPS:
        raise ValueError(f"expected 1 to {MOST_SWEEPS} sweeps, found {n_sweeps}")
    return [
        tuple(sweep for sweep in range(n_sweeps) if number >> sweep & 1)
        for number in range(2**n_sweeps)
    ]


def good_after(good: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute how often what there is after 1, 2, ... n sweeps is good.

    Parameters
    ----------
    good : (2^n,) bool
        Of each set in the order of :func:`sets_of_sweeps`; the empty one is not.

    Returns
    -------
    usual : (n,) float64
        0 or 1: when sweeps are done in their usual order.
    any_order : (n,) float64
        Mean over all orders. The first k sweeps are then each set of k sweeps equally often.
    """
    n_sweeps = _n_sweeps(good)
    sizes = np.bitwise_count(np.arange(len(good)))
    counts = np.bincount(sizes[good], minlength=n_sweeps + 1)
    any_order = [counts[k] / comb(n_sweeps, k) for k in range(1, n_sweeps + 1)]
    usual = [good[2**k - 1] for k in range(1, n_sweeps + 1)]
    return np.array(usual, np.float64), np.array(any_order, np.float64)


def found_within(good: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute how often a search that ends when it is good has ended after 1, 2, ... n sweeps.

    Over all orders by dynamic programming: w(S) counts the orders of the sweeps of S in which no
    beginning is good, w(S) = sum of w(S without s) over its sweeps s, or 0 where S is good; and the
    sum of w over the sets of k sweeps, times (n - k)!, counts the orders that go on after k sweeps.

    Parameters
    ----------
    good : (2^n,) bool
        May become false again with more sweeps.

    Returns
    -------
    usual : (n,) float64
        0 or 1: when sweeps are done in their usual order.
    any_order : (n,) float64
        Share of the n! orders.
    """
    n_sweeps = _n_sweeps(good)
    ways = [1] + [0] * (len(good) - 1)
    going_on = [0] * (n_sweeps + 1)
    for number, inside in enumerate(sets_of_sweeps(n_sweeps)):
        if inside and not good[number]:
            ways[number] = sum(ways[number & ~(1 << sweep)] for sweep in inside)
            going_on[len(inside)] += ways[number]
    orders = factorial(n_sweeps)
    any_order = [1 - going_on[k] * factorial(n_sweeps - k) / orders for k in range(1, n_sweeps + 1)]
    usual = np.maximum.accumulate(good_after(good)[0])
    return usual, np.array(any_order, np.float64)


def sweeps_done(within: NDArray[np.float64]) -> float:
    """Return the expected number of sweeps of such a search, all where it never ends well.

    The sum of the chances of going on after 0, 1, ... n - 1 sweeps.
    """
    return float(1 + (1 - within[:-1]).sum())


def _n_sweeps(good: NDArray[np.bool_]) -> int:
    return len(good).bit_length() - 1
