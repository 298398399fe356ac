"""Rules: what people want to hear of, each a condition with its symbols, severity, cooldown, hours and audience."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from functools import cached_property
from typing import Any

from tapeline.market.alerting.conditions import condition_schema, read_condition, write_condition
from tapeline.market.alerting.conditions.condition import Condition
from tapeline.market.alerting.fields import Kind, Path, RuleError, choice, declared, fields_of, refuse_unknown, whole
from tapeline.market.alerting.look import Look

EVERYTHING = "*"
SEVERITIES = ("info", "warning", "critical")
UNUSUAL = "unusual"
MOST_RULES = 100
TAKEN_NAMES = ("suspect", "correction")
"""Alerts of the stream's own, about figures and not about markets: see `tapeline.market.rules`."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.^=&_-]{0,31}")
_LIST = re.compile(r"[a-z][a-z0-9_]{0,39}")


def _read_text(value: Any) -> Any:
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 200 else None


def _read_word(value: Any) -> Any:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None


def _read_switch(value: Any) -> Any:
    return value if isinstance(value, bool) else None


_WORD = {"type": "string", "pattern": f"^{_NAME.pattern}$"}


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes
    ----------
    name : str
        Lower-case letters, digits and ``_``; the alert's name everywhere.
    when : Condition
        What it watches.
    symbols : tuple of str
        Symbols, names of watch lists, or ``*``.
    hold : int
        Minutes that the condition must hold before it counts; `for` in a file.
    """

    name: str
    when: Condition
    symbols: tuple[str, ...] = (EVERYTHING,)
    hold: int = 0
    severity: str = choice("How much it matters; `critical` is sent at once", *SEVERITIES, default="warning")
    cooldown: int = whole("Minutes after an alert in which the rule is silent on that symbol", 0, 10080, 60)
    hours: str = choice(
        "`regular` trading only, or `all`; conditions on minutes know regular trading only",
        "regular",
        "all",
        default="regular",
    )
    audience: str = declared(
        Kind(
            "Readers of this audience get it; without a wish of their own they have `unusual`",
            "a lower-case word",
            _WORD,
            _read_word,
        ),
        UNUSUAL,
    )
    note: str = declared(
        Kind(
            "Why it is there, and what to do; it ends the message",
            "a text of at most 200 characters",
            {"type": "string", "maxLength": 200},
            _read_text,
        ),
        "",
    )
    enabled: bool = declared(
        Kind("Off keeps the rule without using it", "true or false", {"type": "boolean"}, _read_switch), True
    )

    @cached_property
    def key(self) -> str:
        """What a symbol's memory of the rule goes by: another condition under the same name begins anew."""
        return hashlib.sha256(f"{self.name}{json.dumps(write_condition(self.when))}".encode()).hexdigest()[:6]

    @cached_property
    def every_quote(self) -> bool:
        """Whether it looks at every quote."""
        return self.when.every_quote

    @cached_property
    def is_standing(self) -> bool:
        """Whether its state outlives the session."""
        return all(part.is_standing for part in getattr(self.when, "parts", (self.when,)))

    @cached_property
    def hold_seconds(self) -> int:
        """Of `hold`."""
        return self.hold * 60

    @cached_property
    def cooldown_seconds(self) -> int:
        """Of `cooldown`."""
        return self.cooldown * 60

    @property
    def wish(self) -> str:
        """The rule as a sentence."""
        held = f", for {self.hold} minutes" if self.hold else ""
        return f"when a symbol {self.when.wish()}{held}"


_HOLD = Kind(
    "Minutes that the condition must hold",
    "a whole number from 0 to 390",
    {"type": "integer", "minimum": 0, "maximum": 390, "default": 0},
    lambda value: value if type(value) is int and 0 <= value <= 390 else None,
)
_SYMBOLS_EXPECTED = "`*`, a watch list's name, or a list of symbols and names"


Watch = tuple[str, Callable[[Look, str], str | None], bool, Rule]
"""A rule with what each look needs of it: its key, its condition's `state`, and whether it is standing."""


@dataclass(frozen=True, slots=True)
class WatchingRules:
    """The rules that watch one symbol, by when they look: at finished minutes, or at quotes."""

    all: tuple[Rule, ...]
    on_minutes: tuple[Watch, ...]
    on_quotes: tuple[Watch, ...]
    on_all_quotes: tuple[Watch, ...]
    """Those of `on_quotes` that look outside regular trading too."""


@dataclass(frozen=True)
class RuleSet:
    """All rules of one version, with the watch lists they name.

    Attributes
    ----------
    rules : tuple of Rule
    watch_lists : mapping of str to tuple of str
        Symbols by name.
    """

    rules: tuple[Rule, ...] = ()
    watch_lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_symbol", {})

    def of(self, symbol: str) -> WatchingRules:
        """Return the rules that watch a symbol, in their order."""
        by_symbol: dict[str, WatchingRules] = self._by_symbol  # type: ignore[attr-defined]
        if symbol not in by_symbol:
            every = tuple(rule for rule in self.rules if rule.enabled and self._watches(rule, symbol))
            watches = [(rule.key, rule.when.state, rule.is_standing, rule) for rule in every]
            on_quotes = tuple(watch for watch in watches if watch[-1].every_quote)
            by_symbol[symbol] = WatchingRules(
                all=every,
                on_minutes=tuple(watch for watch in watches if not watch[-1].every_quote),
                on_quotes=on_quotes,
                on_all_quotes=tuple(watch for watch in on_quotes if watch[-1].hours == "all"),
            )
        return by_symbol[symbol]

    def _watches(self, rule: Rule, symbol: str) -> bool:
        return any(name in (EVERYTHING, symbol) or symbol in self.watch_lists.get(name, ()) for name in rule.symbols)

    def to_document(self) -> dict[str, Any]:
        """Return the rules as a document has them."""
        document: dict[str, Any] = {"rules": [write_rule(rule) for rule in self.rules]}
        if self.watch_lists:
            document["watch_lists"] = {name: list(symbols) for name, symbols in self.watch_lists.items()}
        return document


def write_rule(rule: Rule) -> dict[str, Any]:
    """Return a rule as a document has it."""
    from_fields = {
        name: value
        for name in fields_of(Rule)
        if (value := getattr(rule, name)) != Rule.__dataclass_fields__[name].default
    }
    document: dict[str, Any] = {"name": rule.name, "when": write_condition(rule.when)}
    if rule.symbols != (EVERYTHING,):
        document["symbols"] = list(rule.symbols)
    if rule.hold:
        document["for"] = rule.hold
    return document | from_fields


def read_rules(documents: Sequence[tuple[Path, Any]]) -> RuleSet:
    """Read documents with `rules` and `watch_lists` into one set.

    Parameters
    ----------
    documents : sequence of (path, document)
        The path goes in front of where an error is found.

    Raises
    ------
    RuleError
        At the first thing that is not as expected.
    """
    rules: list[Rule] = []
    watch_lists: dict[str, tuple[str, ...]] = {}
    for path, document in documents:
        if not isinstance(document, Mapping):
            raise RuleError(path, "a map of rules and watch_lists", document)
        refuse_unknown(document, dict.fromkeys(("rules", "watch_lists", "based_on")), path)
        for name, symbols in _map(document.get("watch_lists", {}), (*path, "watch_lists")).items():
            here = (*path, "watch_lists", str(name))
            if not isinstance(name, str) or not _LIST.fullmatch(name):
                raise RuleError(here, "a lower-case name", name)
            if name in watch_lists:
                raise RuleError(here, "each watch list once", name)
            watch_lists[name] = _texts(symbols, here, _SYMBOL, "a list of symbols such as [AAPL, MSFT]")
        for place, value in enumerate(_list(document.get("rules", []), (*path, "rules"))):
            here = (*path, "rules", place)
            rule = read_rule(value, here)
            if any(rule.name == other.name for other in rules):
                raise RuleError((*here, "name"), "each name once", rule.name)
            rules.append(rule)
    for path, document in documents:
        for place, value in enumerate(document.get("rules", [])):
            given = value.get("symbols", EVERYTHING)
            for number, name in enumerate([given] if isinstance(given, str) else given):
                if _LIST.fullmatch(name) and name not in watch_lists:
                    here = (*path, "rules", place, "symbols", *(() if isinstance(given, str) else (number,)))
                    known = ", ".join(watch_lists) or "none is defined"
                    raise RuleError(here, f"a watch list of these files ({known})", name)
    if len(rules) > MOST_RULES:
        raise RuleError((*documents[-1][0], "rules"), f"at most {MOST_RULES} rules", len(rules))
    return RuleSet(tuple(rules), watch_lists)


def read_rule(value: Any, path: Path) -> Rule:
    """Read one rule; raise `RuleError` if it is none."""
    kinds = fields_of(Rule)
    if not isinstance(value, Mapping):
        raise RuleError(path, f"a rule: a map of name, when, symbols, for, {', '.join(kinds)}", value)
    refuse_unknown(value, dict.fromkeys(("name", "when", "symbols", "for", *kinds)), path)
    name = value.get("name", MISSING)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RuleError((*path, "name"), "a name of lower-case letters, digits and _", name)
    if name in TAKEN_NAMES:
        raise RuleError((*path, "name"), f"another name than {' and '.join(TAKEN_NAMES)}, which the stream has", name)
    if "when" not in value:
        raise RuleError((*path, "when"), "a condition", MISSING)
    found: dict[str, Any] = {}
    for kind_name, kind in kinds.items():
        if kind_name in value:
            found[kind_name] = kind.read(value[kind_name])
            if found[kind_name] is None:
                raise RuleError((*path, kind_name), kind.expected, value[kind_name])
    hold = _HOLD.read(value.get("for", 0))
    if hold is None:
        raise RuleError((*path, "for"), _HOLD.expected, value["for"])
    return Rule(
        name=name,
        when=read_condition(value["when"], (*path, "when")),
        symbols=_symbols(value.get("symbols", EVERYTHING), (*path, "symbols")),
        hold=hold,
        **found,
    )


def _symbols(value: Any, path: Path) -> tuple[str, ...]:
    if isinstance(value, str) and (value == EVERYTHING or _LIST.fullmatch(value)):
        return (value,)
    pattern = re.compile(f"{_SYMBOL.pattern}|{_LIST.pattern}|\\*")
    return _texts(value, path, pattern, _SYMBOLS_EXPECTED)


def _texts(value: Any, path: Path, pattern: re.Pattern[str], expected: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise RuleError(path, expected, value)
    for place, text in enumerate(value):
        if not isinstance(text, str) or not pattern.fullmatch(text):
            raise RuleError((*path, place), "a symbol in capitals such as AAPL", text)
    return tuple(dict.fromkeys(value))


def _map(value: Any, path: Path) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise RuleError(path, "a map of names to lists of symbols", value)
    return value


def _list(value: Any, path: Path) -> list[Any]:
    if not isinstance(value, list):
        raise RuleError(path, "a list of rules", value)
    return value


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a rule file, for editors and other tools."""
    kinds = fields_of(Rule)
    properties: dict[str, Any] = {
        "name": {**_WORD, "description": "The alert's name everywhere"},
        "when": {"$ref": "#/$defs/condition"},
        "symbols": {
            "description": _SYMBOLS_EXPECTED,
            "default": EVERYTHING,
            "oneOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}],
        },
        "for": {**_HOLD.schema, "description": _HOLD.words},
    }
    for name, kind in kinds.items():
        default = Rule.__dataclass_fields__[name].default
        properties[name] = {**kind.schema, "description": kind.words, "default": default}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Alert rules of Tapeline",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "based_on": {"type": "integer", "minimum": 1, "description": "The version these rules were exported from"},
            "watch_lists": {
                "type": "object",
                "additionalProperties": {"type": "array", "minItems": 1, "items": {"type": "string"}},
            },
            "rules": {
                "type": "array",
                "maxItems": MOST_RULES,
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name", "when"],
                    "properties": properties,
                },
            },
        },
        "$defs": {"condition": condition_schema()},
    }


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
