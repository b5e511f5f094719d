"""Shapley values by their definition, for tiny models: every subset of the inputs, no shortcut.

Trees are read into plain nodes and a missing input is averaged over both branches by their cover (Lundberg, Erion and
Lee 2018, "Consistent Individualized Feature Attribution for Tree Ensembles", algorithm 1). Independent of shap, woodelf
and the libraries' own contributions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Node:
    """A leaf has a ``value``; a split sends a row left where ``left_of(x)``. ``cover`` counts training rows."""

    cover: float
    value: float = 0.0
    feature: int = -1
    left_of: Callable[[float], bool] | None = None
    left: Node | None = None
    right: Node | None = None


def shapley(worth: Callable[[frozenset[int]], float], count: int) -> np.ndarray:
    """Shapley values of ``count`` players (Shapley 1953)."""
    worths = {frozenset(s): worth(frozenset(s)) for n in range(count + 1) for s in combinations(range(count), n)}
    made = np.zeros(count)
    for player in range(count):
        others = [i for i in range(count) if i != player]
        for size in range(count):
            weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            for chosen in combinations(others, size):
                made[player] += weight * (worths[frozenset((*chosen, player))] - worths[frozenset(chosen)])
    return made


def of_trees(trees: Sequence[Node], row: Sequence[float]) -> np.ndarray:
    """Path-dependent values of one row, summed over the trees."""
    return sum((shapley(lambda s, t=tree: expected(t, row, s), len(row)) for tree in trees), np.zeros(len(row)))


def expected(node: Node, row: Sequence[float], known: frozenset[int]) -> float:
    """What the tree gives where only the inputs in ``known`` are known."""
    if node.left is None or node.right is None or node.left_of is None:
        return node.value
    if node.feature in known:
        return expected(node.left if node.left_of(row[node.feature]) else node.right, row, known)
    left, right = expected(node.left, row, known), expected(node.right, row, known)
    return (node.left.cover * left + node.right.cover * right) / node.cover


def lightgbm_trees(booster: Any) -> list[Node]:
    """The trees of a booster whose blanks have a way of their own."""

    def read(said: dict[str, Any]) -> Node:
        if "leaf_value" in said:
            return Node(said.get("leaf_count", 1), said["leaf_value"])
        assert said["decision_type"] == "<="
        limit, blank_left, blanks = said["threshold"], said["default_left"], said["missing_type"] == "NaN"

        def left_of(x: float) -> bool:
            return (blank_left if blanks else limit >= 0) if math.isnan(x) else x <= limit

        children = read(said["left_child"]), read(said["right_child"])
        return Node(children[0].cover + children[1].cover, 0.0, said["split_feature"], left_of, *children)

    return [read(t["tree_structure"]) for t in booster.dump_model()["tree_info"]]


def xgboost_trees(booster: Any, names: Sequence[str]) -> list[Node]:
    """The trees of a booster, thresholds in float32 as it compares them."""
    found = booster.trees_to_dataframe()

    def read(rows: pd.DataFrame, name: str) -> Node:
        said = rows.loc[name]
        if said.Feature == "Leaf":
            return Node(said.Cover, said.Gain)
        limit, blank_left = np.float32(said.Split), said.Missing == said.Yes

        def left_of(x: float) -> bool:
            return blank_left if math.isnan(x) else bool(np.float32(x) < limit)

        return Node(
            said.Cover, 0.0, list(names).index(said.Feature), left_of, read(rows, said.Yes), read(rows, said.No)
        )

    return [read(rows.set_index("ID"), f"{tree}-0") for tree, rows in found.groupby("Tree")]


def sklearn_tree(tree: Any, *, scale: float = 1.0, column: int | None = None) -> Node:
    """One tree of scikit-learn; ``column`` picks a class's share where the tree classifies."""
    inside = tree.tree_

    def read(at: int) -> Node:
        cover = float(inside.weighted_n_node_samples[at])
        if inside.children_left[at] == -1:
            values = inside.value[at].ravel()
            return Node(cover, scale * float(values[0] if column is None else values[column] / values.sum()))
        limit = inside.threshold[at]
        children = read(inside.children_left[at]), read(inside.children_right[at])
        return Node(cover, 0.0, int(inside.feature[at]), lambda x: bool(np.float32(x) <= limit), *children)

    return read(0)


def histogram_trees(model: Any) -> list[Node]:
    """The trees of a HistGradientBoosting model."""

    def read(nodes: Any, at: int) -> Node:
        said = nodes[at]
        if said["is_leaf"]:
            return Node(float(said["count"]), float(said["value"]))
        limit, blank_left = float(said["num_threshold"]), bool(said["missing_go_to_left"])

        def left_of(x: float) -> bool:
            return blank_left if math.isnan(x) else x <= limit

        children = read(nodes, said["left"]), read(nodes, said["right"])
        return Node(float(said["count"]), 0.0, int(said["feature_idx"]), left_of, *children)

    return [read(step[0].nodes, 0) for step in model._predictors]
