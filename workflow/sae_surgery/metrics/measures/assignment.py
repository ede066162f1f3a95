"""Assignment of largest total weight, exactly, for large dense matrices; compiled.

A row may stay alone at no gain, so weights are not negative. The dual problem is to find prices
p ≥ 0 of columns and profits u ≥ 0 of rows, u_i + p_j ≥ w_ij, of the least sum. As in Jonker &
Volgenant (1987, doi:10.1007/BF02278710), rows first bid for columns; those that are left join one
by one along shortest augmenting paths.

Rows mostly look at a list of a few columns only (the idea is Volgenant's, 1996,
doi:10.1016/0305-0548(96)00010-X), and still nothing is missed: prices never fall, so what the last
on a list was worth when the list was made bounds what any column beyond it is worth ever after.
Where that bound does not settle a question, the whole row is looked at.
"""

import heapq
from typing import NamedTuple

import numpy as np

from sae_surgery.machine.jit import jit

compiled = jit()

LISTED = 32
"""Columns on the list of a row."""
PASSES = 2
"""Times that each row may open a chain of bids."""
BIDS_A_ROW = 4
"""Bids in one pass, on average over rows, after which a chain is cut."""


class Market(NamedTuple):
    """The matrix, a matching in the making, and the prices that prove it best so far."""

    weights: np.ndarray
    """w (row, column)."""
    prices: np.ndarray
    """p (column,); zero for a column that is free."""
    profits: np.ndarray
    """u (row,): for a matched row, its weight less the price paid; zero for one left alone."""
    owner: np.ndarray
    """Row matched to each column, -1 if it is free."""
    partner: np.ndarray
    """Column matched to each row, -1 if it is alone."""
    listed: np.ndarray
    """Columns on each row's list (row, place), -1 at places that are empty."""
    listed_weights: np.ndarray
    """Their weights, (row, place)."""
    bounds: np.ndarray
    """Upper bound of the profit w_ij - p_j of all columns that are not on row i's list, (row,)."""


class Paths(NamedTuple):
    """Shortest paths from a row that joins.

    A path goes from a row to a column at the profit lost against the row's best, and on to the
    column's owner for nothing. It ends at a free column, or at a row that is left alone.
    """

    lengths: np.ndarray
    """Length of the shortest path known to each column (column,); infinite if there is none."""
    parents: np.ndarray
    """The row that it comes from (column,)."""
    looks: np.ndarray
    """How often each row's list was looked at (row,)."""


@compiled
def assign(weights):
    """Match rows and columns one to one so that the summed weight is largest.

    Parameters
    ----------
    weights
        w (row, column), float64, non-negative.

    Returns
    -------
    The column of each row, -1 if it is alone, and the prices (column,) that prove it.
    """
    n_rows, n_columns = weights.shape
    market = Market(
        weights,
        np.zeros(n_columns),
        np.zeros(n_rows),
        np.full(n_columns, -1),
        np.full(n_rows, -1),
        np.empty((n_rows, LISTED), np.int64),
        np.empty((n_rows, LISTED)),
        np.empty(n_rows),
    )
    for row in range(n_rows):
        renew(market, row)
    waiting = np.arange(n_rows)
    for _ in range(PASSES):
        waiting = bid(market, waiting)
    for row in waiting:
        join(market, row)
    return market.partner, market.prices


@compiled
def upper_bound(weights, prices):
    """Return Σ p_j + Σ_i max(0, max_j w_ij - p_j): no assignment weighs more, whatever p ≥ 0."""
    total = prices.sum()
    for row in weights:
        profit = 0.0
        for column in range(len(prices)):
            profit = max(profit, row[column] - prices[column])
        total += profit
    return total


@compiled
def renew(market, row):
    """List the columns that are most profitable to a row at the prices of now."""
    weights = market.weights[row]
    heap = [(0.0, -1)] * LISTED
    least = 0.0
    for column in range(len(weights)):
        profit = weights[column] - market.prices[column]
        if profit > least:
            heapq.heapreplace(heap, (profit, column))
            least = heap[0][0]
    market.bounds[row] = least
    for place in range(LISTED):
        column = heap[place][1]
        market.listed[row, place] = column
        market.listed_weights[row, place] = weights[column] if column >= 0 else 0.0


@compiled
def best_listed(market, row):
    """Return the largest profit on a row's list, the second largest, and the column of the first.

    To stay alone counts too: profit 0, column -1.
    """
    best, second, chosen = 0.0, 0.0, -1
    for place in range(LISTED):
        column = market.listed[row, place]
        if column < 0:
            continue
        profit = market.listed_weights[row, place] - market.prices[column]
        if profit > best:
            best, second, chosen = profit, best, column
        elif profit > second:
            second = profit
    return best, second, chosen


@compiled
def best_two(market, row):
    """Return what `best_listed` does, of all columns."""
    found = best_listed(market, row)
    if found[1] < market.bounds[row]:
        renew(market, row)
        found = best_listed(market, row)
    return found


@compiled
def bid(market, waiting):
    """Let each row take its best column, raising the price until its second best is as good.

    Who owned the column bids next, unless the price has not risen or there were too many bids.

    Returns
    -------
    The rows that still wait for a column then.
    """
    displaced = [row for row in waiting[:0]]
    left = BIDS_A_ROW * len(market.profits)
    for first in waiting:
        row = first
        while row >= 0:
            best, second, column = best_two(market, row)
            market.profits[row] = second
            if column < 0:
                break
            loser = market.owner[column]
            market.prices[column] += best - second
            market.owner[column], market.partner[row] = row, column
            row, left = loser, left - 1
            if loser >= 0:
                market.partner[loser] = -1
                if best == second or left < 0:
                    displaced.append(loser)
                    break
    return np.array(displaced)


@compiled
def join(market, start):
    """Add a row to the matching along the shortest path, and move the prices accordingly."""
    n_rows, n_columns = market.weights.shape
    market.profits[start] = best_two(market, start)[0]
    lengths, parents = np.full(n_columns, np.inf), np.empty(n_columns, np.int64)
    paths = Paths(lengths, parents, np.zeros(n_rows, np.int64))
    length, row, column = search_lists(market, paths, start)
    if length < 0:
        lengths[:] = np.inf
        length, row, column = search_rows(market, paths, start)

    market.profits[start] -= length
    for other in range(n_columns):
        if lengths[other] < length:
            market.prices[other] += length - lengths[other]
            market.profits[market.owner[other]] -= length - lengths[other]
    shift(market, parents, row, column)


@compiled
def search_lists(market, paths, start):
    """Find the shortest path from a row to an end (Dijkstra), looking at lists only.

    Returns
    -------
    Its length, its last row and its last column, -1 for none. The length is -1 if a shorter one may
    lead over a column that is on no list.
    """
    end = (market.profits[start], start, -1)
    heap = [(0.0, ~start)]
    while heap:
        length, place = heapq.heappop(heap)
        if length >= end[0]:
            return end
        if place >= 0 and length > paths.lengths[place]:
            continue
        row = market.owner[place] if place >= 0 else ~place
        if paths.looks[row] == 2:
            return (-1.0, row, -1)
        end = look(market, paths, heap, row, end)
    return end


@compiled
def look(market, paths, heap, row, end):
    """Extend paths from a row to the columns on its list, which is renewed at a second look.

    Returns
    -------
    The nearest end known: length of the path, its last row and column.
    """
    here = 0.0 if market.partner[row] < 0 else paths.lengths[market.partner[row]]
    profit = market.profits[row]
    if paths.looks[row] == 1:
        renew(market, row)
    elif here + profit < end[0]:
        end = (here + profit, row, -1)
    paths.looks[row] += 1
    for place in range(LISTED):
        column = market.listed[row, place]
        if column < 0:
            continue
        # Rounding can leave a loss below zero.
        loss = max(profit - market.listed_weights[row, place] + market.prices[column], 0.0)
        length = here + loss
        if length < min(paths.lengths[column], end[0]):
            paths.lengths[column], paths.parents[column] = length, row
            if market.owner[column] < 0:
                end = (length, row, column)
            else:
                heapq.heappush(heap, (length, column))
    beyond = here + max(profit - market.bounds[row], 0.0)
    if beyond < end[0]:
        heapq.heappush(heap, (beyond, ~row))
    return end


@compiled
def search_rows(market, paths, start):
    """Do what `search_lists` does, looking at whole rows."""
    open_columns = np.ones(len(market.prices), np.bool_)
    end = (market.profits[start], start, -1)
    row, here = start, 0.0
    while True:
        profit, weights = market.profits[row], market.weights[row]
        if here + profit < end[0]:
            end = (here + profit, row, -1)
        nearest, least = -1, end[0]
        for column in range(len(weights)):
            if not open_columns[column]:
                continue
            length = here + max(profit - weights[column] + market.prices[column], 0.0)
            if length < paths.lengths[column]:
                paths.lengths[column], paths.parents[column] = length, row
            if market.owner[column] < 0:
                if length < end[0]:
                    end = (length, row, column)
            elif paths.lengths[column] < least:
                nearest, least = column, paths.lengths[column]
        if least >= end[0]:
            return end
        open_columns[nearest] = False
        row, here = market.owner[nearest], least


@compiled
def shift(market, parents, row, column):
    """Give each row on a path the column after it; the last row stays alone without a column."""
    if column < 0:
        column = market.partner[row]
        market.partner[row] = -1
    while column >= 0:
        row = parents[column]
        market.owner[column] = row
        market.partner[row], column = column, market.partner[row]
