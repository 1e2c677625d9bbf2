"""What people need to know of a field of a configuration: the one source of flags, files, dialogs and checks."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

_REQUIRED = dataclasses.MISSING


def setting(
    default: Any = _REQUIRED,
    *,
    label: str,
    help: str,  # noqa: A002 - the word of every parser
    group: str,
    unit: str = "",
    choices: tuple[str, ...] = (),
    **limits: float,
) -> Any:
    """Make a field of a configuration with what people need to know of it.

    Args:
        default: its value where none is given; a field without one must be given.
        label: its name in a dialog, one to three words.
        help: what it does, as a phrase.
        group: the heading that it belongs under.
        unit: what it counts or measures, such as "images".
        choices: the values that a text may have.
        limits: minimum and maximum (included), above and below (excluded), of a number or of each number of a list.
    """
    metadata = {"label": label, "help": help, "group": group, "unit": unit, "choices": choices, "limits": limits}
    if default is _REQUIRED:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Setting:
    """A field of a configuration, as people see it.

    Attributes:
        kind: bool, int, float or str; of a list, that of its items.
        is_list: whether the value is a list (a tuple in memory).
        default: the value where none is given; None where one must be given.
        limits: minimum, maximum (included), above, below (excluded) -> number.
    """

    name: str
    label: str
    help: str
    group: str
    unit: str
    kind: type
    is_list: bool
    required: bool
    default: Any
    choices: tuple[str, ...]
    limits: Mapping[str, float]

    @property
    def rule(self) -> str:
        """The values that it may have, in words: "0 to 1", "above 0", "one of l1, l2, robust", or nothing."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        low, high = self.limits.get("minimum"), self.limits.get("maximum")
        if low is not None and high is not None:
            return f"{_number(low)} to {_number(high)}"
        if self.kind is bool:
            return "true or false"
        words = {"minimum": "{} or more", "maximum": "{} or less", "above": "above {}", "below": "below {}"}
        return " and ".join(words[name].format(_number(limit)) for name, limit in self.limits.items())

    def problem(self, value: object) -> str:
        """What is wrong with a value, as "must be ..., got ..."; nothing if it is fine."""
        wanted = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[self.kind]
        if self.is_list:
            if not isinstance(value, (list, tuple)):
                return f"must be a list, each {wanted}; got {value!r}"
            found = [p for p in (self._problem_of_one(item, wanted) for item in value) if p]
            return f"{found[0]} in it" if found else ""
        return self._problem_of_one(value, wanted)

    def _problem_of_one(self, value: object, wanted: str) -> str:
        if not _is_a(value, self.kind):
            return f"must be {wanted}, got {value!r}"
        if (self.choices and value not in self.choices) or not self._is_within(value):
            return f"must be {self.rule}, got {value!r}"
        return ""

    def _is_within(self, value: Any) -> bool:
        limits = self.limits
        if self.kind is str:
            return True
        return (
            math.isfinite(value)
            and ("minimum" not in limits or value >= limits["minimum"])
            and ("maximum" not in limits or value <= limits["maximum"])
            and ("above" not in limits or value > limits["above"])
            and ("below" not in limits or value < limits["below"])
        )


def _number(limit: float) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit:.15g}"


def _is_a(value: object, kind: type) -> bool:
    if isinstance(value, bool) or kind is bool:
        return kind is bool and isinstance(value, bool)
    return isinstance(value, (int, float) if kind is float else kind)


def settings_of(configuration: type | Any) -> tuple[Setting, ...]:
    """Return the settings of a configuration, or of its class, in the order of its fields."""
    found = []
    for field in dataclasses.fields(configuration):
        if "label" not in field.metadata:
            continue
        items = get_args(field.type)
        required = field.default is _REQUIRED
        found.append(
            Setting(
                name=field.name,
                kind=items[0] if items else field.type,  # type: ignore[arg-type]
                is_list=bool(items),
                required=required,
                default=None if required else field.default,
                **field.metadata,
            )
        )
    return tuple(found)


def setting_problems(configuration: Any) -> list[str]:
    """List what is wrong with the fields of a configuration, each as "name must be ..., got ..."."""
    return [
        f"{setting.name} {problem}"
        for setting in settings_of(configuration)
        if (problem := setting.problem(getattr(configuration, setting.name)))
    ]
