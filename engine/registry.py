"""Finds modules: the shipped ones, those of `--module-path`, and installed entry points.

Names are known from file names alone; a module's file is imported when it is first used.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

import modules
from engine.contract import Action, Checkpoint, Condition, Module, Probe, Record
from engine.errors import InputError
from engine.typed import convert

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from types import ModuleType

Kind = Literal["probe", "action", "record", "checkpoint"]
ENTRY_POINTS = "quell.modules"
LESSER: tuple[Kind, ...] = ("probe", "record")
_BASES: dict[type[Module], Kind] = {
    Probe: "probe",
    Action: "action",
    Record: "record",
    Checkpoint: "checkpoint",
}


class Entry(Struct, frozen=True, dict=True):
    """One module, as the language and the execution need it."""

    name: str
    cls: type[Module]
    example: str

    @cached_property
    def kind(self) -> Kind:
        """What the class is."""
        return next(kind for base, kind in _BASES.items() if issubclass(self.cls, base))

    def kind_of(self, args: object) -> Kind:
        """What a task with these arguments is: an action may say that it is less than that."""
        said = args if isinstance(args, Mapping) else {}
        return next((kind for kind in self.lesser if said.get(kind) is True), self.kind)

    @property
    def lesser(self) -> tuple[Kind, ...]:
        """What a task of an action's module may say that it is: `probe: true`, `record: true`."""
        fields = self.cls.__struct_fields__ if self.kind == "action" else ()
        return tuple(kind for kind in LESSER if kind in fields)

    def normal(self, args: object) -> object:
        """The arguments as a mapping: the shorthands `primary` and `free_form` written out."""
        if self.cls.free_form:
            return {self.cls.free_form: args}
        if args is None:
            return {}
        if self.cls.primary and not isinstance(args, Mapping):
            return {self.cls.primary: args}
        return args

    @property
    def frozen(self) -> bool:
        """Whether one of it may serve all hosts."""
        return self.cls.__struct_config__.frozen

    @cached_property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments, written out, with `$defs` for nested types."""
        document = msgspec.json.schema(self.cls, schema_hook=_condition_schema)
        definitions = document["$defs"]
        own = definitions.pop(self.cls.__name__)
        return {**own, "$defs": definitions} if definitions else dict(own)

    def convert(self, args: Mapping[str, Any]) -> Module:
        """The module with its arguments, after rendering.

        Raises:
            msgspec.ValidationError: an argument has the wrong type or value.
        """
        return convert(args, self.cls, strict=False, hook=_keep_condition)


class Registry:
    """The modules that playbooks may name."""

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        """Look for names; nothing is imported yet.

        Args:
            paths: directories of `--module-path`; their modules go before shipped ones.

        Raises:
            InputError: a path is not a directory.
        """
        self._load: dict[str, Callable[[], ModuleType]] = {}
        self._entries: dict[str, Entry] = {}
        for name in _shipped():
            self._load[name.rstrip("_")] = _importer(f"modules.{name}")
        for point in _installed():
            self._load[point.name] = point.load
        for path in paths:
            if not path.is_dir():
                raise InputError(f"--module-path: {path} is not a directory")
            for file in sorted(path.glob("[!_]*.py")):
                self._load[file.stem.rstrip("_")] = _file_importer(file)

    def names(self) -> list[str]:
        """Every module's name, sorted."""
        return sorted(self._load)

    def __contains__(self, name: object) -> bool:
        """Whether there is such a module."""
        return name in self._load

    def __getitem__(self, name: str) -> Entry:
        """The module of that name, imported if it was not yet.

        Raises:
            KeyError: there is none.
            InputError: its file does not hold a module.
        """
        if name not in self._entries:
            self._entries[name] = _entry(name, self._load[name]())
        return self._entries[name]


@cache
def _shipped() -> tuple[str, ...]:
    """The files' names: with us, they do not change while we run."""
    return tuple(info.name for info in pkgutil.iter_modules(modules.__path__))


@cache
def _installed() -> tuple[EntryPoint, ...]:
    """Looked up once, and only where there are any: what reads them is slow to import."""
    if not any(_names_modules(Path(place)) for place in dict.fromkeys(sys.path)):
        return ()
    from importlib.metadata import entry_points

    return tuple(entry_points(group=ENTRY_POINTS))


def _names_modules(place: Path) -> bool:
    """Whether a distribution in a place of `sys.path` may have entry points of ours."""
    section = f"[{ENTRY_POINTS}]"
    files = place.glob("*-info/entry_points.txt")
    return place.is_file() or any(section in file.read_text("utf-8", "replace") for file in files)


def _importer(qualified: str) -> Callable[[], ModuleType]:
    return lambda: importlib.import_module(qualified)


def _file_importer(file: Path) -> Callable[[], ModuleType]:
    def load() -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"quell_module_{file.stem}", file)
        if spec is None or spec.loader is None:
            raise InputError(f"{file}: cannot be imported")
        module = importlib.util.module_from_spec(spec)
        # msgspec looks there for the names in the class's annotations.
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    return load


def _entry(name: str, module: ModuleType) -> Entry:
    classes = [
        cls
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, Module) and cls.__module__ == module.__name__
    ]
    if len(classes) != 1:
        place = module.__file__ or module.__name__
        raise InputError(f"{place}: a module's file holds one module class, not {len(classes)}")
    return Entry(name, classes[0], inspect.cleandoc(getattr(module, "EXAMPLE", "")))


def _condition_schema(kind: type) -> dict[str, Any]:
    if kind is Condition:
        return {"type": "string", "format": "expression"}
    raise NotImplementedError(kind)


def _keep_condition(kind: type, value: Any) -> Any:
    if kind is Condition and isinstance(value, Condition):
        return value
    raise NotImplementedError(kind)
