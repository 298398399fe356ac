"""Athena's functions that the laptop knows: what they take, what they return, and what they are in DuckDB.

They stand in `functions.txt`. One that is neither there nor in `special` does not run: it may mean something else in
DuckDB. Each line reads `name(parameters) result | DuckDB expression`, and an indented one goes on with it. A capital
letter stands for a type: T, U, K, V any, O any that has an order, I a whole number, D a decimal; `local` takes a date
or timestamp as the clock on the wall of its zone shows it; `text` takes a varchar or char, and gives what it took.
Names side by side share a line, in which `{name}` is each of them. Several lines of a name are overloads, of which the
first that fits is taken.
Source: Athena User Guide, "Functions in Amazon Athena" (engine version 3), and the Trino documentation it refers to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from localaws.athena.casts import Value, failure, local, quote
from localaws.athena.errors import unsupported
from localaws.athena.types import MAX_DECIMAL_DIGITS, UNKNOWN, VARCHAR, Type, common, decimal, duckdb, parse

ALIASES = {
    "ceiling": "ceil", "pow": "power", "rand": "random", "substring": "substr", "char_length": "length",
    "week_of_year": "week", "yow": "year_of_week", "day_of_month": "day", "dow": "day_of_week", "doy": "day_of_year",
    "any_value": "arbitrary", "every": "bool_and", "stddev": "stddev_samp", "variance": "var_samp",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signature:
    """One overload of a function: what it takes and gives, and what it is in DuckDB."""

    parameters: tuple[Type, ...]
    result: Type
    template: str

    def bind(self, arguments: list[Type]) -> Bound | None:
        """Return what the overload becomes with these arguments, if it takes them."""
        if len(arguments) != len(self.parameters):
            return None
        letters: dict[str, Type] = {}
        pairs = list(zip(self.parameters, arguments, strict=True))
        if not all(_fits(parameter, argument, letters) for parameter, argument in pairs):
            return None
        taken = [_taken(parameter, argument, letters) for parameter, argument in pairs]
        result = self._result(taken, letters)
        names = {letter: duckdb(kind) for letter, kind in letters.items()}
        template = re.sub(r"\{([A-Z])\}", lambda match: names[match[1]], self.template)
        return Bound(taken, result, Signature(self.parameters, result, template))

    def _result(self, arguments: list[Type], letters: dict[str, Type]) -> Type:
        if self.result.name == "integral":  # Trino: round, floor and ceil of a decimal
            precision, scale = arguments[0].arguments
            return decimal(max(precision - scale + min(scale, 1), 1), 0)
        if self.result.name == "wider":  # Trino: round of a decimal to digits
            precision, scale = arguments[0].arguments
            return decimal(min(precision + 1, MAX_DECIMAL_DIGITS), scale)
        if self.result.name == "total":
            return decimal(38, arguments[0].arguments[1])
        return arguments[0] if self.result.name == "text" else _fill(self.result, letters)

    def fill(self, values: list[Value], texts: dict[str, str]) -> str:
        """Put the arguments into the template, and the clauses that stand around the call."""

        def part(match: re.Match[str]) -> str:
            key = match[1]
            if key.isdigit():
                is_local = self.parameters[int(key)].name == "local"
                if is_local and values[int(key)].type == UNKNOWN:
                    return "CAST(NULL AS TIMESTAMP)"
                return local(values[int(key)]) if is_local else values[int(key)].sql
            if key.startswith("refuse:"):
                raise unsupported(key[7:])
            if key.startswith("fail:"):
                return failure(quote(key[5:]), self.result)
            return texts.get(key, "")

        return "(" + re.sub(r"\{([^{}]+)\}", part, self.template) + ")"


@dataclass(frozen=True, slots=True)
class Bound:
    """An overload with its letters filled in: the types of its parameters and of its result."""

    parameters: list[Type]
    result: Type
    signature: Signature


def _fits(parameter: Type, argument: Type, letters: dict[str, Type]) -> bool:
    name = parameter.name
    if len(name) == 1:
        if not {"I": argument.is_integer, "D": argument.name == "decimal", "O": argument.name != "map"}.get(name, True):
            return False
        merged = common(letters[name], argument) if name in letters else argument
        if merged is not None:
            letters[name] = merged
        return merged is not None
    if argument == UNKNOWN:
        return True
    if name == "local":
        return argument.is_moment
    if name == "text":
        return argument.name in ("char", "varchar")
    if argument.name == "char":
        return False
    if name in ("array", "map"):
        return argument.name == name and all(
            _fits(a, b, letters) for a, b in zip(parameter.arguments, argument.arguments, strict=True)
        )
    merged = common(argument, parameter)
    return merged is not None and merged.name == name


def _taken(parameter: Type, argument: Type, letters: dict[str, Type]) -> Type:
    """Return the type that an argument is taken with."""
    if parameter.name == "text":
        return VARCHAR if argument == UNKNOWN else argument
    return argument if parameter.name == "local" else _fill(parameter, letters)


def _fill(pattern: Type, letters: dict[str, Type]) -> Type:
    if len(pattern.name) == 1:
        return letters.get(pattern.name, UNKNOWN)
    if pattern.name in ("array", "map"):
        return Type(pattern.name, tuple(_fill(inner, letters) for inner in pattern.arguments))
    return pattern


def _read(table: str) -> dict[str, list[Signature]]:
    functions: dict[str, list[Signature]] = {}
    joined = re.sub(r"\n +", " ", table)
    for line in filter(None, joined.splitlines()):
        head, _, template = line.partition(" | ")
        match = re.fullmatch(r"([\w, ]+?) ?\((.*)\) ([\w() ,]+)", head)
        if match is None:
            raise ValueError(f"expected name(types) type | expression, found {line!r}")
        names, parameters, result = match.groups()
        kinds = tuple(_pattern(text) for text in re.split(r", (?![^()]*\))", parameters) if text)
        for name in names.split(", "):
            written = template.replace("{name}", name)
            functions.setdefault(name, []).append(Signature(kinds, _pattern(result.strip()), written))
    return functions


def _pattern(text: str) -> Type:
    match = re.fullmatch(r"(array|map)\((.+)\)", text)
    if match:
        return Type(match[1], tuple(_pattern(part) for part in re.split(r", ", match[2])))
    if text in ("local", "text", "integral", "wider", "total") or len(text) == 1:
        return Type(text)
    if text.startswith("interval"):
        return Type(text)
    return parse(text)


@cache
def catalog() -> dict[str, dict[str, list[Signature]]]:
    """Return the functions by name, in the tables ``scalar``, ``aggregate`` and ``window``."""
    _, *parts = re.split(r"\[(\w+)\]\n", Path(__file__).with_name("functions.txt").read_text(encoding="utf-8"))
    return {name: _read(table) for name, table in zip(parts[::2], parts[1::2], strict=True)}
