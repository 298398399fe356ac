"""Athena's functions that the laptop knows: what they take, what they return, and what they are in DuckDB.

A function that is neither here nor in `special` does not run: an unknown one may mean something else in DuckDB. Each
line of the tables reads `name(parameters) result | DuckDB expression`. A capital letter stands for a type: T, U, K, V
any, I a whole number, D a decimal; `local` takes a date or timestamp as the clock on the wall of its zone shows it,
`clock` only a timestamp. Several lines of a name are overloads, of which the first that fits is taken.
Source: Athena User Guide, "Functions in Amazon Athena" (engine version 3), and the Trino documentation it refers to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from localaws.athena.casts import Value, failure, local, quote
from localaws.athena.types import UNKNOWN, Type, common, decimal, duckdb, parse

SCALAR = r"""
abs(I) I | abs({0})
abs(D) D | abs({0})
abs(real) real | abs({0})
abs(double) double | abs({0})
ceil(I) I | {0}
ceil(D) integral | ceil({0})
ceil(double) double | ceil({0})
floor(I) I | {0}
floor(D) integral | floor({0})
floor(double) double | floor({0})
round(I) I | {0}
round(D) integral | round({0})
round(double) double | round({0})
round(double, integer) double | (round({0} * pow(10, {1})) / pow(10, {1}))
truncate(double) double | trunc({0})
sign(I) I | CAST(sign({0}) AS {I})
sign(double) double | CAST(sign({0}) AS DOUBLE)
power(double, double) double | pow({0}, {1})
exp(double) double | exp({0})
ln(double) double | ln({0})
log2(double) double | log2({0})
log10(double) double | log10({0})
log(double, double) double | (ln({1}) / ln({0}))
sqrt(double) double | sqrt({0})
cbrt(double) double | cbrt({0})
pi() double | pi()
infinity() double | CAST('Infinity' AS DOUBLE)
nan() double | CAST('NaN' AS DOUBLE)
is_nan(double) boolean | isnan({0})
is_finite(double) boolean | isfinite({0})
is_infinite(double) boolean | isinf({0})
random() double | random()
width_bucket(double, double, double, bigint) bigint |
    CAST(CASE WHEN {0} < {1} THEN 0 WHEN {0} >= {2} THEN {3} + 1 ELSE floor({3} * ({0} - {1}) / ({2} - {1})) +
    1 END AS BIGINT)

length(varchar) bigint | length({0})
lower(varchar) varchar | lower({0})
upper(varchar) varchar | upper({0})
trim(varchar) varchar | trim({0})
ltrim(varchar) varchar | ltrim({0})
rtrim(varchar) varchar | rtrim({0})
reverse(varchar) varchar | reverse({0})
replace(varchar, varchar) varchar | replace({0}, {1}, '')
replace(varchar, varchar, varchar) varchar | replace({0}, {1}, {2})
substr(varchar, bigint) varchar | CASE WHEN {1} = 0 OR abs({1}) > length({0}) THEN '' ELSE substr({0}, {1}) END
substr(varchar, bigint, bigint) varchar |
    CASE WHEN {1} = 0 OR abs({1}) > length({0}) OR {2} <= 0 THEN '' ELSE substr({0}, {1}, {2}) END
strpos(varchar, varchar) bigint | strpos({0}, {1})
split(varchar, varchar) array(varchar) |
    CASE WHEN {1} = '' THEN {fail:INVALID_FUNCTION_ARGUMENT: The delimiter may not be the empty string} ELSE
    string_split({0}, {1}) END
split_part(varchar, varchar, bigint) varchar |
    CASE WHEN {2} < 1 OR {1} = '' THEN {fail:INVALID_FUNCTION_ARGUMENT: Index must be greater than zero} ELSE
    list_extract(string_split({0}, {1}), {2}) END
lpad(varchar, bigint, varchar) varchar | lpad({0}, CAST({1} AS INTEGER), {2})
rpad(varchar, bigint, varchar) varchar | rpad({0}, CAST({1} AS INTEGER), {2})
starts_with(varchar, varchar) boolean | starts_with({0}, {1})
chr(bigint) varchar | chr(CAST({0} AS INTEGER))
codepoint(varchar) integer | unicode({0})
translate(varchar, varchar, varchar) varchar | translate({0}, {1}, {2})
regexp_like(varchar, varchar) boolean | regexp_matches({0}, {1})
regexp_count(varchar, varchar) bigint | len(regexp_extract_all({0}, {1}))
regexp_extract(varchar, varchar) varchar | CASE WHEN regexp_matches({0}, {1}) THEN regexp_extract({0}, {1}) END
regexp_extract_all(varchar, varchar) array(varchar) | regexp_extract_all({0}, {1})
regexp_split(varchar, varchar) array(varchar) | string_split_regex({0}, {1})
to_utf8(varchar) varbinary | encode({0})
from_utf8(varbinary) varchar | decode({0})
to_hex(varbinary) varchar | hex({0})
md5(varbinary) varbinary | unhex(md5({0}))
sha256(varbinary) varbinary | unhex(sha256({0}))

year(local) bigint | year({0})
quarter(local) bigint | quarter({0})
month(local) bigint | month({0})
week(local) bigint | weekofyear({0})
year_of_week(local) bigint | isoyear({0})
day(local) bigint | day({0})
day_of_week(local) bigint | isodow({0})
day_of_year(local) bigint | dayofyear({0})
hour(clock) bigint | hour({0})
minute(clock) bigint | minute({0})
second(clock) bigint | second({0})
millisecond(clock) bigint | millisecond({0}) % 1000
hour(time) bigint | hour({0})
minute(time) bigint | minute({0})
second(time) bigint | second({0})
last_day_of_month(local) date | last_day({0})
to_unixtime(timestamp) double | epoch({0})
to_unixtime(timestamp with time zone) double | epoch({0})
from_unixtime(double) timestamp with time zone | make_timestamptz(CAST(round({0} * 1000) AS BIGINT) * 1000)
to_milliseconds(interval day to second) bigint | CAST(round(epoch({0}) * 1000) AS BIGINT)

cardinality(array(T)) bigint | len({0})
cardinality(map(K, V)) bigint | CAST(cardinality({0}) AS BIGINT)
contains(array(T), T) boolean |
    CASE WHEN list_contains({0}, {1}) THEN TRUE WHEN {1} IS NULL OR len(list_filter({0}, lambda e: e IS NULL))
    > 0 THEN NULL ELSE list_contains({0}, {1}) END
element_at(map(K, V), K) V | {0}[{1}]
element_at(array(T), bigint) T |
    CASE WHEN {1} = 0 THEN {fail:INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1} ELSE
    list_extract({0}, {1}) END
array_sort(array(T)) array(T) | list_sort({0}, 'ASC', 'NULLS LAST')
array_position(array(T), T) bigint |
    CAST(coalesce(list_position({0}, {1}), CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN 0 END) AS
    BIGINT)
array_join(array(varchar), varchar) varchar | array_to_string({0}, {1})
slice(array(T), bigint, bigint) array(T) |
    CASE WHEN {1} < 1 OR {2} < 0 THEN {fail:NOT_SUPPORTED: not supported on the laptop: slice from the end}
    ELSE list_slice({0}, {1}, {1} + {2} - 1) END
reverse(array(T)) array(T) | list_reverse({0})
flatten(array(array(T))) array(T) | flatten({0})
sequence(bigint, bigint) array(bigint) | generate_series({0}, {1}, CASE WHEN {0} <= {1} THEN 1 ELSE -1 END)
sequence(bigint, bigint, bigint) array(bigint) | generate_series({0}, {1}, {2})
sequence(date, date) array(date) | CAST(generate_series({0}, {1}, INTERVAL 1 DAY) AS DATE[])
sequence(date, date, interval day to second) array(date) | CAST(generate_series({0}, {1}, {2}) AS DATE[])
sequence(date, date, interval year to month) array(date) | CAST(generate_series({0}, {1}, {2}) AS DATE[])
sequence(timestamp, timestamp, interval day to second) array(timestamp) | generate_series({0}, {1}, {2})
map(array(K), array(V)) map(K, V) | map({0}, {1})
map_keys(map(K, V)) array(K) | map_keys({0})
map_values(map(K, V)) array(V) | map_values({0})
"""

AGGREGATE = r"""
count(T) bigint | count({distinct}{0}){over}
sum(I) bigint | CAST(sum({distinct}{0}){over} AS BIGINT)
sum(D) total | sum({distinct}{0}){over}
sum(real) real | CAST(sum({distinct}{0}){over} AS FLOAT)
sum(double) double | sum({distinct}{0}){over}
avg(I) double | avg({distinct}{0}){over}
avg(D) D | average_of_decimal
avg(real) real | CAST(avg({distinct}{0}){over} AS FLOAT)
avg(double) double | avg({distinct}{0}){over}
min(T) T | min({0}){over}
max(T) T | max({0}){over}
min(T, bigint) array(T) | min({0}, {1}){over}
max(T, bigint) array(T) | max({0}, {1}){over}
min_by(T, U) T | arg_min_null({0}, {1}){over}
max_by(T, U) T | arg_max_null({0}, {1}){over}
arbitrary(T) T | any_value({0}){over}
array_agg(T) array(T) | list({distinct}{0}{order}){over}
count_if(boolean) bigint | CAST(count_if({0}){over} AS BIGINT)
bool_and(boolean) boolean | bool_and({0}){over}
bool_or(boolean) boolean | bool_or({0}){over}
stddev_samp(double) double | stddev_samp({distinct}{0}){over}
stddev_pop(double) double | stddev_pop({distinct}{0}){over}
var_samp(double) double | var_samp({distinct}{0}){over}
var_pop(double) double | var_pop({distinct}{0}){over}
corr(double, double) double | CASE WHEN isfinite(corr({0}, {1}){over}) THEN corr({0}, {1}){over} END
covar_samp(double, double) double | covar_samp({0}, {1}){over}
covar_pop(double, double) double | covar_pop({0}, {1}){over}
regr_slope(double, double) double | CASE WHEN isfinite(regr_slope({0}, {1}){over}) THEN regr_slope({0}, {1}){over} END
regr_intercept(double, double) double |
    CASE WHEN isfinite(regr_intercept({0}, {1}){over}) THEN regr_intercept({0}, {1}){over} END
geometric_mean(double) double | exp(avg({distinct}ln({0})){over})
approx_distinct(T) bigint | count(DISTINCT {0}){over}
approx_percentile(I, double) I | quantile_disc({0}, {1}){over}
approx_percentile(double, double) double | quantile_cont({0}, {1}){over}
approx_percentile(I, array(double)) array(I) | quantile_disc({0}, {1}){over}
approx_percentile(double, array(double)) array(double) | quantile_cont({0}, {1}){over}
histogram(T) map(T, bigint) | CAST(histogram({0}){over} AS MAP({T}, BIGINT))
map_agg(K, V) map(K, V) | map(list({0}){over}, list({1}){over})
listagg(varchar, varchar) varchar | string_agg({distinct}{0}, {1}{order}){over}
listagg(varchar) varchar | string_agg({distinct}{0}, ''{order}){over}
"""

WINDOW = r"""
row_number() bigint | row_number(){over}
rank() bigint | rank(){over}
dense_rank() bigint | dense_rank(){over}
percent_rank() double | percent_rank(){over}
cume_dist() double | cume_dist(){over}
ntile(bigint) bigint | ntile({0}){over}
lag(T) T | lag({0}{nulls}){over}
lag(T, bigint) T | lag({0}, {1}{nulls}){over}
lag(T, bigint, T) T | lag({0}, {1}, {2}{nulls}){over}
lead(T) T | lead({0}{nulls}){over}
lead(T, bigint) T | lead({0}, {1}{nulls}){over}
lead(T, bigint, T) T | lead({0}, {1}, {2}{nulls}){over}
first_value(T) T | first_value({0}{nulls}){over}
last_value(T) T | last_value({0}{nulls}){over}
nth_value(T, bigint) T | nth_value({0}, {1}{nulls}){over}
"""

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
        taken = [
            argument if parameter.name in ("local", "clock") else _fill(parameter, letters)
            for parameter, argument in pairs
        ]
        result = self._result(taken, letters)
        names = {letter: duckdb(kind) for letter, kind in letters.items()}
        template = re.sub(r"\{([A-Z])\}", lambda match: names[match[1]], self.template)
        return Bound(taken, result, Signature(self.parameters, result, template))

    def _result(self, arguments: list[Type], letters: dict[str, Type]) -> Type:
        if self.result.name == "integral":  # Trino: round, floor and ceil of a decimal
            precision, scale = arguments[0].arguments
            return decimal(max(precision - scale + min(scale, 1), 1), 0)
        if self.result.name == "total":
            return decimal(38, arguments[0].arguments[1])
        return _fill(self.result, letters)

    def fill(self, values: list[Value], texts: dict[str, str]) -> str:
        """Put the arguments into the template, and the clauses that stand around the call."""

        def part(match: re.Match[str]) -> str:
            key = match[1]
            if key.isdigit():
                is_local = self.parameters[int(key)].name in ("local", "clock")
                return local(values[int(key)]) if is_local else values[int(key)].sql
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
        if not {"I": argument.is_integer, "D": argument.name == "decimal"}.get(name, True):
            return False
        merged = common(letters[name], argument) if name in letters else argument
        if merged is not None:
            letters[name] = merged
        return merged is not None
    if name in ("local", "clock"):
        return argument.is_moment and (name == "local" or argument.name != "date")
    if argument == UNKNOWN:
        return True
    if name in ("array", "map"):
        return argument.name == name and all(
            _fits(a, b, letters) for a, b in zip(parameter.arguments, argument.arguments, strict=True)
        )
    merged = common(argument, parameter)
    return merged is not None and merged.name == name


def _fill(pattern: Type, letters: dict[str, Type]) -> Type:
    if len(pattern.name) == 1:
        return letters.get(pattern.name, UNKNOWN)
    if pattern.name in ("array", "map"):
        return Type(pattern.name, tuple(_fill(inner, letters) for inner in pattern.arguments))
    return pattern


def _read(table: str) -> dict[str, list[Signature]]:
    functions: dict[str, list[Signature]] = {}
    joined = re.sub(r"\n +", " ", table)  # an indented line goes on with the one before
    for line in filter(None, joined.splitlines()):
        head, _, template = line.partition(" | ")
        match = re.fullmatch(r"(\w+)\((.*)\) ([\w() ,]+)", head)
        if match is None:
            raise ValueError(f"expected name(types) type | expression, found {line!r}")
        name, parameters, result = match.groups()
        kinds = tuple(_pattern(text) for text in re.split(r", (?![^()]*\))", parameters) if text)
        functions.setdefault(name, []).append(Signature(kinds, _pattern(result.strip()), template))
    return functions


def _pattern(text: str) -> Type:
    match = re.fullmatch(r"(array|map)\((.+)\)", text)
    if match:
        return Type(match[1], tuple(_pattern(part) for part in re.split(r", ", match[2])))
    if text in ("local", "clock", "integral", "total") or len(text) == 1:
        return Type(text)
    if text.startswith("interval"):
        return Type(text)
    return parse(text)


@cache
def catalog() -> dict[str, dict[str, list[Signature]]]:
    """Return the tables read: ``scalar``, ``aggregate`` and ``window`` functions by name."""
    return {"scalar": _read(SCALAR), "aggregate": _read(AGGREGATE), "window": _read(WINDOW)}
