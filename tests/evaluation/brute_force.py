"""The scores once more, particle by particle and pixel by pixel: slow, and easy to check."""

from __future__ import annotations

import itertools

import numpy as np

LEVELS = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]


def particles(labels: np.ndarray) -> list[set[tuple[int, int]]]:
    """Set of pixels of every particle, by label."""
    return [
        {(int(y), int(x)) for y, x in np.argwhere(labels == n)}
        for n in np.unique(labels[labels > 0])
    ]


def iou(a: set, b: set) -> float:
    return len(a & b) / len(a | b) if a | b else 1.0


def best_pairs(true: list[set], found: list[set], level: float) -> list[tuple[int, int]]:
    """Try all one-to-one choices: most pairs first, then most overlap."""
    pairs = [
        (i, j)
        for i, a in enumerate(true)
        for j, b in enumerate(found)
        if a & b and iou(a, b) >= level
    ]
    best: tuple[tuple[int, float], list] = ((0, 0.0), [])
    for size in range(len(pairs), 0, -1):
        for choice in itertools.combinations(pairs, size):
            rows, columns = {i for i, _ in choice}, {j for _, j in choice}
            if len(rows) == len(columns) == size:
                worth = (size, sum(iou(true[i], found[j]) for i, j in choice))
                if worth > best[0]:
                    best = (worth, list(choice))
        if best[1]:
            break
    return best[1]


def scores(truth: np.ndarray, predicted: np.ndarray, tolerance: float = 2.0) -> dict[str, float]:
    """All overlap scores of one image."""
    true, found = particles(truth), particles(predicted)
    n, m = len(true), len(found)
    pairs = {level: best_pairs(true, found, level) for level in LEVELS}
    ap = {k: len(p) / (n + m - len(p)) if n + m else 1.0 for k, p in pairs.items()}
    hits = pairs[0.5]
    overlap = [iou(true[i], found[j]) for i, j in hits]
    everything_true, everything_found = set().union(*true), set().union(*found)
    out = {
        "ap50": ap[0.5],
        "ap75": ap[0.75],
        "ap50_95": sum(ap.values()) / len(ap),
        "f1": 2 * len(hits) / (n + m) if n + m else 1.0,
        "pq": sum(overlap) / (0.5 * n + 0.5 * m) if n + m else 1.0,
        "sq": sum(overlap) / len(hits) if hits else float(n + m == 0),
        "aji": jaccard(true, found),
        "fg_iou": iou(everything_true, everything_found),
        "boundary_f1": boundary(truth, predicted, tolerance),
    }
    total = len(everything_true) + len(everything_found)
    out["fg_dice"] = 2 * len(everything_true & everything_found) / total if total else 1.0
    return out | kinds(true, found, hits)


def jaccard(true: list[set], found: list[set]) -> float:
    """AJI as it was published: best partners, then what was nobody's."""
    above = below = 0
    used = set()
    for a in true:
        partners = [(iou(a, b), j) for j, b in enumerate(found) if a & b]
        if not partners:
            below += len(a)
            continue
        j = max(partners)[1]
        used.add(j)
        above, below = above + len(a & found[j]), below + len(a | found[j])
    below += sum(len(b) for j, b in enumerate(found) if j not in used)
    return above / below if below else 1.0


def kinds(true: list[set], found: list[set], hits: list[tuple[int, int]]) -> dict[str, float]:
    """Shares of the kinds of error."""
    count = dict.fromkeys(
        ("missed", "merged", "split", "outline", "false_ground", "false_piece"), 0
    )
    everything = set().union(*true)
    for i, a in enumerate(true):
        if i in {h for h, _ in hits}:
            continue
        shared = [len(a & b) for b in found]
        if sum(shared) < 0.3 * len(a):
            count["missed"] += 1
            continue
        covers = [b for b, pixels in zip(found, shared, strict=True) if pixels == max(shared)]
        if any(sum(len(t & b) > 0.5 * len(t) for t in true) >= 2 for b in covers):
            count["merged"] += 1
        elif sum(len(a & b) > 0.5 * len(b) for b in found) >= 2:
            count["split"] += 1
        else:
            count["outline"] += 1
    for j, b in enumerate(found):
        if j not in {h for _, h in hits}:
            over = len(b & everything)
            count["false_ground" if over < 0.3 * len(b) else "false_piece"] += 1
    return {name: number / len(true) if true else np.nan for name, number in count.items()}


def boundary(truth: np.ndarray, predicted: np.ndarray, tolerance: float) -> float:
    """F1 of outline pixels near an outline of the other image."""
    ours, theirs = _outline(truth), _outline(predicted)
    if not ours and not theirs:
        return 1.0
    if not ours or not theirs:
        return 0.0
    recall = np.mean([min(_distance(p, q) for q in theirs) <= tolerance + 1e-9 for p in ours])
    precision = np.mean([min(_distance(p, q) for q in ours) <= tolerance + 1e-9 for p in theirs])
    return float(2 * recall * precision / (recall + precision)) if recall + precision else 0.0


def _distance(p: tuple[int, int], q: tuple[int, int]) -> float:
    return float(np.hypot(p[0] - q[0], p[1] - q[1]))


def _outline(labels: np.ndarray) -> list[tuple[int, int]]:
    out = []
    for y, x in np.argwhere(labels > 0):
        for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            v, u = y + dy, x + dx
            inside = 0 <= v < labels.shape[0] and 0 <= u < labels.shape[1]
            if inside and labels[v, u] != labels[y, x]:
                out.append((int(y), int(x)))
                break
    return out


def inst_iou(mask_true: np.ndarray, mask_found: np.ndarray) -> float:
    """IoU (Inst) of two masks: filled outlines by flood filling, holes as outlines too."""
    ours, theirs = filled_outlines(mask_true), filled_outlines(mask_found)
    if not theirs:
        return float(not ours)
    return float(np.mean([max((iou(a, b) for a in ours), default=0.0) for b in theirs]))


def filled_outlines(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """Regions of the mask and holes, each with all that they enclose."""
    every = {(y, x) for y in range(mask.shape[0]) for x in range(mask.shape[1])}
    out = []
    for wanted, reach in ((True, 8), (False, 4)):
        left = {p for p in every if bool(mask[p]) is wanted}
        while left:
            region = _flood(next(iter(left)), left, reach)
            left -= region
            if not wanted and any(
                y in (0, mask.shape[0] - 1) or x in (0, mask.shape[1] - 1) for y, x in region
            ):
                continue  # background that reaches the border
            # what cannot be left without crossing the region is enclosed by it
            rest, free = every - region, set()
            for p in sorted(rest):
                if p not in free and (
                    p[0] in (0, mask.shape[0] - 1) or p[1] in (0, mask.shape[1] - 1)
                ):
                    free |= _flood(p, rest, 4 if wanted else 8)
            out.append(every - free)
    return out


def _flood(start: tuple[int, int], allowed: set, reach: int) -> set[tuple[int, int]]:
    steps = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    steps += [(1, 1), (1, -1), (-1, 1), (-1, -1)] if reach == 8 else []
    seen, todo = {start}, [start]
    while todo:
        y, x = todo.pop()
        for dy, dx in steps:
            p = (y + dy, x + dx)
            if p in allowed and p not in seen:
                seen.add(p)
                todo.append(p)
    return seen
