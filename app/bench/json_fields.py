"""Takes apart a JSON object field by field, so strictly that what comes out has the types it is declared to have."""

import json
import math
from collections.abc import Mapping
from typing import Any


class FieldError(ValueError):
    """A field is missing, too much or not what it must be; the message names it."""


class Fields:
    """The fields of one JSON object: each is taken once, and :meth:`close` says which were not asked for.

    ``where`` is the object's place in the file ("codec."), for messages.

    Raises:
        FieldError: by the constructor and every method, where the JSON is not as it must be.
    """

    def __init__(self, value: object, where: str = "") -> None:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise FieldError(f"{where.rstrip('.') or 'the file'} is no object")
        self._left: dict[str, Any] = dict(value)
        self._where = where

    @classmethod
    def of_file(cls, text: str | bytes, schema: int) -> "Fields":
        """Take apart the text of a file whose field "schema" must be ``schema``."""
        try:
            fields = cls(json.loads(text))
        except (ValueError, RecursionError) as error:
            if isinstance(error, FieldError):
                raise
            raise FieldError("it is no JSON") from None
        found = fields.integer("schema")
        if found != schema:
            raise FieldError(f"it has schema {found}, and this nerfcall reads {schema}")
        return fields

    @classmethod
    def of_bench(cls, text: str | bytes, schema: int, bench: str) -> "Fields":
        """Take apart the text of a file whose fields "schema" and "bench" must be those."""
        fields = cls.of_file(text, schema)
        if (found := fields.text("bench")) != bench:
            raise FieldError(f"it is of the bench {found}")
        return fields

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def text(self, name: str) -> str:
        """Take a string."""
        value = self._take(name)
        if not isinstance(value, str):
            raise FieldError(f"{self._where}{name} is no text")
        return value

    def flag(self, name: str) -> bool:
        """Take true or false."""
        value = self._take(name)
        if not isinstance(value, bool):
            raise FieldError(f"{self._where}{name} is neither true nor false")
        return value

    def integer(self, name: str, least: int = 0) -> int:
        """Take a whole number of at least ``least``."""
        value = self._take(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise FieldError(f"{self._where}{name} is no whole number from {least} on")
        return value

    def number(self, name: str, least: float = -math.inf) -> float:
        """Take a finite number of at least ``least``."""
        return _number(self._take(name), f"{self._where}{name}", least)

    def within(self, name: str) -> "Fields":
        """Take an object."""
        return Fields(self._take(name), f"{self._where}{name}.")

    def each(self, name: str, most: int) -> "list[Fields]":
        """Take an array of at most ``most`` objects."""
        values = self._take(name)
        if not isinstance(values, list) or len(values) > most:
            raise FieldError(f"{self._where}{name} is no array of at most {most}")
        return [Fields(value, f"{self._where}{name}[{index}].") for index, value in enumerate(values)]

    def texts(self, name: str) -> dict[str, str]:
        """Take an object that holds nothing but strings."""
        fields = self.within(name)
        return {key: fields.text(key) for key in fields.names()}

    def figures(self, name: str) -> dict[str, float]:
        """Take an object that holds nothing but numbers; null stands for NaN, which JSON has not."""
        fields = self.within(name)
        return {key: fields._figure(key) for key in fields.names()}

    def settings(self, name: str) -> dict[str, str | int | float]:
        """Take an object that holds nothing but strings and finite numbers."""
        fields = self.within(name)
        return {key: fields._setting(key) for key in fields.names()}

    def anything(self, name: str) -> dict[str, Any]:
        """Take an object, whatever is in it."""
        return self.within(name)._left

    def names(self) -> list[str]:
        """Return the names of the fields that have not been taken, in the file's order."""
        return list(self._left)

    def close(self) -> None:
        """Refuse what has not been taken: a misspelt field must not pass for an absent one."""
        if self._left:
            raise FieldError(f"{self._where}{next(iter(self._left))} is no field of this format")

    def _take(self, name: str) -> Any:
        if name not in self._left:
            raise FieldError(f"{self._where}{name} is missing")
        return self._left.pop(name)

    def _figure(self, name: str) -> float:
        value = self._take(name)
        return math.nan if value is None else _number(value, f"{self._where}{name}", -math.inf)

    def _setting(self, name: str) -> str | int | float:
        value = self._take(name)
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        return _number(value, f"{self._where}{name}", -math.inf)


def _number(value: object, name: str, least: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise FieldError(f"{name} is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number < least:
        raise FieldError(f"{name} is out of range")
    return number


def json_text(content: Mapping[str, Any]) -> str:
    """Return the text of a file, the same for the same content. Raises ValueError for NaN and infinities."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def without_nan(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Return figures as JSON can hold them: None for NaN, as :meth:`Fields.figures` reads it.

    Raises:
        FieldError: one is infinite.
    """
    for name, value in figures.items():
        if math.isinf(value):
            raise FieldError(f"{name} is infinite")
    return {name: None if math.isnan(value) else value for name, value in figures.items()}
