"""Small faults of a module, made by the operators of mutmut.

Such are another operator or number, an argument left out or None, or a condition forced.

Not mutated, as no test should notice: annotations and type aliases, decorators, docstrings, texts
of errors and log lines, ``len`` and ``isinstance``; ``strict`` of ``zip``; ``device``, since tests
have only one; arguments that repeat a default, ``align_corners=False`` and ``mode="nearest"``; the
sign of axis -2, which of four axes is 2. The case of strings is not changed either: a string is
replaced as a whole.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import pairwise
from typing import NamedTuple

import libcst as cst
from libcst import matchers as m
from mutmut.mutation.mutators import mutation_operators, operator_string


class Mutant(NamedTuple):
    """A faulty version of a module.

    Attributes:
        place: The original and its fault.
        function: Qualified name of the function whose code it changes; None if it is outside
            functions or in a signature.
        source: The whole module.
    """

    place: str
    function: str | None
    source: str


def mutants(original: str, most: int) -> tuple[int, list[Mutant]]:
    """Number of the faults of a module, and the mutants that are taken of them."""
    module = cst.parse_module(original)
    visitor = _Faults()
    module.visit(visitor)
    places: Counter[str] = Counter()
    found = {}
    for where, function, node, fault in visitor.faults:
        place = f"{where}: {_code(node)}  ->  {_code(fault)}"
        places[place] += 1
        if places[place] > 1:
            place += f" ({places[place]})"
        found[place] = function, node, fault
    taken: list[Mutant] = []
    for place in sorted(found, key=lambda it: hashlib.sha256(it.encode()).digest()):
        function, node, fault = found[place]
        source = module.deep_replace(node, fault).code
        if source != original and _compiles(source):
            taken.append(Mutant(place, function, source))
        if len(taken) == most:
            break
    return len(found), taken


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _code(node: cst.CSTNode) -> str:
    return " ".join(cst.Module([]).code_for_node(node).split())


_ERROR_TEXT = m.Assign(targets=[m.AssignTarget(m.Name("msg"))])
_LOG_LINE = m.Call(func=m.Attribute(value=m.Name("logger")))
_LITERAL = m.Subscript(value=m.Name("Literal"))
_TYPES = m.Assign(value=_LITERAL) | m.AnnAssign(annotation=m.Annotation(m.Name("TypeAlias")))
_UNTOLD = m.Arg(keyword=m.Name("strict") | m.Name("device") | m.Name("align_corners")) | m.Arg(
    keyword=m.Name("mode"), value=m.SimpleString('"nearest"')
)
_AXIS = m.UnaryOperation(operator=m.Minus(), expression=m.Integer("2"))
_LEFT_OUT = (
    m.Annotation()
    | m.Decorator()
    | m.Import()
    | m.ImportFrom()
    | m.Raise()
    | _ERROR_TEXT
    | _LOG_LINE
    | _TYPES
    | _UNTOLD
    | m.Call(func=m.Name("len") | m.Name("isinstance") | m.Name("TypeVar"))
    | m.If(test=m.Name("TYPE_CHECKING"))
)


class _Faults(cst.CSTVisitor):
    """Collects nodes and their faulty versions, with the function around them."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[tuple[str, str | None, cst.CSTNode, cst.CSTNode]] = []
        self._around: list[cst.FunctionDef | cst.ClassDef | cst.Parameters] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if m.matches(node, _LEFT_OUT) or _is_docstring(node):
            return False
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                faults = list(operator(node))
                if operator is operator_string:
                    faults = faults[:1]
                where, function = self._place()
                self.faults += [
                    (where, function, node, fault)
                    for fault in faults
                    if not _without_untold(node, fault) and not m.matches(node, _AXIS)
                ]
        if isinstance(node, cst.FunctionDef | cst.ClassDef | cst.Parameters):
            self._around.append(node)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if self._around and self._around[-1] is original_node:
            self._around.pop()

    def _place(self) -> tuple[str, str | None]:
        """Name of the outermost function or class here, and of the function whose code it is."""
        names: list[str] = []
        for node, inner in pairwise([*self._around, None]):
            if not isinstance(node, cst.Parameters):
                names.append(node.name.value)
            if isinstance(node, cst.FunctionDef):
                name = ".".join(names)
                return name, None if isinstance(inner, cst.Parameters) else name
        return ".".join(names) or "module", None


def _is_docstring(node: cst.CSTNode) -> bool:
    return m.matches(node, m.Expr(m.SimpleString() | m.ConcatenatedString()))


def _without_untold(node: cst.CSTNode, fault: cst.CSTNode) -> bool:
    """Whether nothing but an argument that is not mutated is gone or None."""
    if not (isinstance(node, cst.Call) and isinstance(fault, cst.Call)):
        return False
    gone = [argument for argument in node.args if argument not in fault.args]
    return len(gone) == 1 and m.matches(gone[0], _UNTOLD)
