"""The states of a procedure, drawn: as Mermaid, and as SVG by a layered layout of our own.

The layout is Sugiyama's: steps in layers by the longest way from the opening, ways over several layers bent at each of
them, each layer ordered by where its neighbours stand, coordinates pulled towards them. Whole numbers all along, so
that the same rule set gives the same picture everywhere.
"""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final
from xml.sax.saxutils import escape

from fazhi_contracts.procedures.ruleset import RuleSet, Step
from fazhi_ledger.messages import printable

from . import terminal
from .language import Language, choose
from .rules_texts import WORDS

_CHAR: Final = 7
"""Width of half a Chinese character at the size of the labels."""
_BOX_HEIGHT: Final = 40
_LAYER_GAP: Final = 46
_NODE_GAP: Final = 26
_BEND: Final = 10
"""The room that a way takes where it passes a layer."""
_MARGIN: Final = 24
_TITLE: Final = 34
_SWEEPS: Final = 12
_PULLS: Final = 24
_PER_ROW: Final = 5
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _label(step: Step, language: Language) -> str:
    return printable(choose((step.zh, step.en), language))


def _title(rules: RuleSet, language: Language) -> str:
    return printable(choose((rules.title_zh, rules.title_en), language))


# -- Mermaid ----------------------------------------------------------------------------------------


def mermaid(rules: RuleSet, language: Language) -> str:
    """The states as a Mermaid ``stateDiagram-v2``."""
    lines = ["---", f"title: {_quoted(_title(rules, language))}", "---", "stateDiagram-v2"]
    lines += [f'    state "{_escaped(_label(step, language))} {step.code}" as {step.code}' for step in rules.steps]
    lines += [f"    [*] --> {step.code}" for step in rules.steps if step.initial]
    lines += [f"    {before} --> {step.code}" for step in rules.steps for before in step.from_steps]
    lines += [f"    {step.code} --> [*]" for step in rules.steps if step.terminal]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """YAML; what an HTML page around it would take for markup as the escape of its number."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(f"\\u{ord(char):04x}" if char in "<>&" else char for char in text) + '"'


def _escaped(text: str) -> str:
    """Mermaid reads ``#NN;`` as the character of that number."""
    return "".join(f"#{ord(char)};" if char in '#;"<>{}\\' else char for char in text)


# -- layers -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Node:
    """A step, or (without one) a bend of a way that passes its layer."""

    step: Step | None
    width: int
    layer: int
    x: int = 0
    above: list[_Node] = field(default_factory=list)
    below: list[_Node] = field(default_factory=list)


@dataclass(slots=True)
class _Way:
    """From one step to another, over the nodes between; ``back`` where it leads up."""

    nodes: list[_Node]
    back: bool
    source: str
    target: str


def _downward(steps: Sequence[Step]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The ways that lead on, and those that would close a ring: such a way leads back to a step on the way to it."""
    following: dict[str, list[str]] = {step.code: [] for step in steps}
    for step in steps:
        for before in step.from_steps:
            if before in following:
                following[before].append(step.code)
    down: list[tuple[str, str]] = []
    back: list[tuple[str, str]] = []
    done: set[str] = set()
    for root in sorted(following, key=lambda code: not _step_of(steps, code).initial):
        if root in done:
            continue
        open_, stack = {root}, [(root, iter(following[root]))]
        while stack:
            code, rest = stack[-1]
            target = next(rest, None)
            if target is None:
                stack.pop()
                open_.discard(code)
                done.add(code)
            elif target in open_:
                back.append((code, target))
            else:
                down.append((code, target))
                if target not in done:
                    open_.add(target)
                    stack.append((target, iter(following[target])))
    return down, back


def _step_of(steps: Sequence[Step], code: str) -> Step:
    return next(step for step in steps if step.code == code)


def _layers(steps: Sequence[Step], down: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The layer of each step: one more than the deepest of those before it."""
    layer = {step.code: 0 for step in steps}
    ways = list(down)
    for _ in steps:
        moved = False
        for before, after in ways:
            if layer[after] <= layer[before]:
                layer[after], moved = layer[before] + 1, True
        if not moved:
            break
    return layer


@dataclass(slots=True)
class _Layout:
    """Nodes by layers, each in its order, and the ways between them."""

    layers: list[list[_Node]]
    ways: list[_Way]

    @classmethod
    def of(cls, steps: Sequence[Step], language: Language) -> _Layout:
        down, back = _downward(steps)
        layer = _layers(steps, down)
        nodes = {step.code: _Node(step, _width(step, language), layer[step.code]) for step in steps}
        layers: list[list[_Node]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
        for node in nodes.values():
            layers[node.layer].append(node)
        ways = []
        for leads_back, pairs in ((False, down), (True, back)):
            for source, target in pairs:
                upper, lower = (target, source) if leads_back else (source, target)
                chain = [nodes[upper]]
                for number in range(layer[upper] + 1, layer[lower]):
                    bend = _Node(None, _BEND, number)
                    layers[number].append(bend)
                    chain.append(bend)
                chain.append(nodes[lower])
                for first, second in pairwise(chain):
                    first.below.append(second)
                    second.above.append(first)
                ways.append(_Way(chain, leads_back, source, target))
        layout = cls(layers, ways)
        layout._order()
        layout._place()
        return layout

    def _order(self) -> None:
        """Order each layer by the middle of its neighbours in the layer before it, downwards and upwards in turn; the
        order with the fewest crossings stays."""
        best, fewest = [list(layer) for layer in self.layers], self._crossings()
        for sweep in range(_SWEEPS):
            downwards = sweep % 2 == 0
            order = range(1, len(self.layers)) if downwards else range(len(self.layers) - 2, -1, -1)
            for number in order:
                fixed = {id(node): at for at, node in enumerate(self.layers[number - 1 if downwards else number + 1])}
                layer = self.layers[number]
                keys = {
                    id(node): _middle([fixed[id(near)] for near in (node.above if downwards else node.below)], at)
                    for at, node in enumerate(layer)
                }
                layer.sort(key=lambda node: keys[id(node)])
            found = self._crossings()
            if found < fewest:
                best, fewest = [list(layer) for layer in self.layers], found
        self.layers = best

    def _crossings(self) -> int:
        count = 0
        for upper, lower in pairwise(self.layers):
            place = {id(node): at for at, node in enumerate(lower)}
            seen: list[int] = []  # where the ways from nodes further left end
            for node in upper:
                for end in sorted(place[id(near)] for near in node.below):
                    count += len(seen) - bisect_right(seen, end)
                    insort(seen, end)
        return count

    def _place(self) -> None:
        """Give every node the x of its middle: apart from its neighbours in the layer, near those above and below."""
        for layer in self.layers:
            at = 0
            for node in layer:
                node.x = at + node.width // 2
                at += node.width + _NODE_GAP
            shift = (at - _NODE_GAP) // 2
            for node in layer:
                node.x -= shift
        for pull in range(_PULLS):
            order = self.layers if pull % 2 == 0 else self.layers[::-1]
            for layer in order:
                wanted = [_mean([near.x for near in (*node.above, *node.below)], node.x) for node in layer]
                _spread(layer, wanted)
        left = min((node.x - node.width // 2 for layer in self.layers for node in layer), default=0)
        for layer in self.layers:
            for node in layer:
                node.x += _MARGIN - left

    def width(self) -> int:
        """Of the whole picture."""
        return max((node.x + node.width // 2 for layer in self.layers for node in layer), default=0) + _MARGIN


def _width(step: Step, language: Language) -> int:
    return _CHAR * max(terminal.width(_label(step, language)), terminal.width(step.code)) + 20


def _middle(places: list[int], otherwise: int) -> int:
    """Twice the median, a whole number."""
    if not places:
        return 2 * otherwise
    places.sort()
    return places[(len(places) - 1) // 2] + places[len(places) // 2]


def _mean(places: list[int], otherwise: int) -> int:
    return sum(places) // len(places) if places else otherwise


def _spread(layer: list[_Node], wanted: list[int]) -> None:
    """Put the nodes of a layer where they want to stand, as far as their order and widths allow: half of the room that
    is wanting comes from either side."""
    leftmost: list[int] = []
    for place, node in enumerate(layer):
        x = wanted[place]
        if leftmost:
            x = max(x, leftmost[-1] + (layer[place - 1].width + node.width) // 2 + _NODE_GAP)
        leftmost.append(x)
    rightmost: list[int] = []
    for place in range(len(layer) - 1, -1, -1):
        x = wanted[place]
        if rightmost:
            after = layer[place + 1]
            x = min(x, rightmost[-1] - (after.width + layer[place].width) // 2 - _NODE_GAP)
        rightmost.append(x)
    for node, low, high in zip(layer, leftmost, reversed(rightmost), strict=True):
        node.x = (low + high) // 2


# -- SVG --------------------------------------------------------------------------------------------

_STYLE: Final = (
    "text{font-family:'Noto Sans CJK SC','Microsoft YaHei','PingFang SC',sans-serif;text-anchor:middle;fill:#222}"
    ".name{font-size:13px}.code{font-size:10px;fill:#666}.title{font-size:16px;font-weight:bold}"
    "rect{fill:#fff;stroke:#456;stroke-width:1.2;rx:6px}.initial{fill:#e8f3ff}.terminal{fill:#eee;stroke-width:2.4}"
    ".beside{stroke-dasharray:4 3}.decides{fill:#fff1dc}"
    "path.way{fill:none;stroke:#8a9bb0;stroke-width:1.1}path.back{stroke:#c58b6b;stroke-dasharray:5 3}"
    "g.edge:hover path.way{stroke:#d0302f;stroke-width:2.4}"
)


_TIP: Final = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 L8 4 L0 8 z" fill="#667"/></marker></defs>'
)


def svg(rules: RuleSet, language: Language) -> str:
    """The states as an SVG picture. Steps beside the order stand below it, without ways."""
    ordered = [step for step in rules.steps if not step.beside]
    apart = [step for step in rules.steps if step.beside]
    layout = _Layout.of(ordered, language)
    title = f"{_title(rules, language)} {rules.procedure}"
    rows = [apart[at : at + _PER_ROW] for at in range(0, len(apart), _PER_ROW)]
    widest = max((sum(_width(step, language) + _NODE_GAP for step in row) for row in rows), default=0) + _MARGIN
    width = max(layout.width(), widest, _CHAR * terminal.width(title) * 4 // 3 + 2 * _MARGIN)
    bottom = _TITLE + len(layout.layers) * (_BOX_HEIGHT + _LAYER_GAP)
    height = bottom + (_TITLE if rows else 0) + len(rows) * (_BOX_HEIGHT + _NODE_GAP) + _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<title>{_xml(title)}</title>",
        f"<style>{_STYLE}</style>",
        _TIP,
        f'<text class="title" x="{width // 2}" y="24">{_xml(title)}</text>',
    ]
    parts += [_way(way, rules, language) for way in layout.ways]
    parts += [
        _box(node.step, node.x, _top(node.layer), node.width, language)
        for layer in layout.layers
        for node in layer
        if node.step is not None
    ]
    parts += _apart(rows, bottom, width, language)
    return "\n".join((*parts, "</svg>")) + "\n"


def _apart(rows: list[list[Step]], top: int, width: int, language: Language) -> list[str]:
    if not rows:
        return []
    heading = choose(WORDS["beside"], language)
    parts = [f'<text class="name" x="{width // 2}" y="{top + 18}">{_xml(heading)}</text>']
    for number, row in enumerate(rows):
        at = _MARGIN
        for step in row:
            wide = _width(step, language)
            y = top + _TITLE + number * (_BOX_HEIGHT + _NODE_GAP)
            parts.append(_box(step, at + wide // 2, y, wide, language))
            at += wide + _NODE_GAP
    return parts


def _top(layer: int) -> int:
    return _TITLE + _MARGIN + layer * (_BOX_HEIGHT + _LAYER_GAP)


def _box(step: Step, x: int, y: int, width: int, language: Language) -> str:
    kinds = " ".join(name for name in ("initial", "terminal", "beside", "decides") if getattr(step, name))
    name = _label(step, language)
    return (
        f'<g id="{step.code}"><title>{_xml(f"{name} {step.code} · {printable(step.article)}")}</title>'
        f'<rect class="{kinds}" x="{x - width // 2}" y="{y}" width="{width}" height="{_BOX_HEIGHT}"/>'
        f'<text class="name" x="{x}" y="{y + 18}">{_xml(name)}</text>'
        f'<text class="code" x="{x}" y="{y + 33}">{step.code}</text></g>'
    )


def _way(way: _Way, rules: RuleSet, language: Language) -> str:
    """A way as a smooth line through its bends, its tip at the step that it leads to."""
    points: list[tuple[int, int]] = []
    for place, node in enumerate(way.nodes):
        y = _top(node.layer)
        if place:
            points.append((node.x, y))
        if place < len(way.nodes) - 1:
            points.append((node.x, y + _BOX_HEIGHT))
    if way.back:
        points.reverse()
    path = f"M{points[0][0]} {points[0][1]}"
    for (x1, y1), (x2, y2) in pairwise(points):
        middle = (y1 + y2) // 2
        path += f" L{x2} {y2}" if x1 == x2 else f" C{x1} {middle} {x2} {middle} {x2} {y2}"
    source, target = rules.by_code[way.source], rules.by_code[way.target]
    kind = "way back" if way.back else "way"
    return (
        f'<g class="edge"><title>{_xml(f"{_label(source, language)} → {_label(target, language)}")}</title>'
        f'<path class="{kind}" d="{path}" marker-end="url(#tip)"/></g>'
    )


def _xml(text: str) -> str:
    return escape(_NO_XML.sub("·", text), {'"': "&quot;"})
