"""The base of the optimizers: parameter groups, one pass over flat stores, state in PyTorch's layout."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from gpudl import _backend
from gpudl.nn.parameter import Parameter
from gpudl.ops import _arrays
from gpudl.optim._flat_store import FlatStore, Slot, make_stores
from gpudl.optim._step_tables import StepTables

# Keys of PyTorch's groups that ours do not have: how it computes, and what its OneCycleLR leaves there.
_PYTORCH_EXECUTION = {"foreach", "fused", "capturable", "differentiable"}
_PYTORCH_ONE_CYCLE = {"max_lr", "min_lr", "max_momentum", "base_momentum"}
_LEFT_OUT = {"params", "param_names", *_PYTORCH_EXECUTION, *_PYTORCH_ONE_CYCLE}


class Optimizer:
    """Moves parameters against their gradients. Subclasses name hyperparameters and state, and run one operator.

    params : Parameters, or (name, Parameter) pairs as `named_parameters()` gives them, or dicts with "params" and
    options of their own (a parameter group).

    Parameters, gradients and state move into flat stores, one for each dtype: `Parameter.data` and `.grad` become
    views of them, and a step is one operator call for all. A parameter whose gradient is None, or that does not
    require one, is skipped, its state and step count too. `param_groups[i]["lr"]` can be read and set.
    """

    columns: tuple[str, ...]  # the operator's table of hyperparameters

    def __init__(self, params: Any, defaults: dict[str, Any]):
        self.defaults = defaults
        groups = [self._group(entry) for entry in _as_groups(self._op, params)]
        self._require_disjoint(groups)
        self._start(defaults, groups)

    def _start(self, defaults: dict[str, Any], groups: list[dict[str, Any]]) -> None:
        self.defaults = defaults
        self.param_groups = groups
        self._names: dict[int, str] = {}
        self._with_state: set[int] = set()  # parameters that have been updated
        self._stores: list[FlatStore] = []
        self._tables: list[StepTables] = []
        self._build()

    @property
    def _op(self) -> str:
        return type(self).__name__

    # ---- what a subclass adds

    def _check(self, group: dict[str, Any]) -> None:
        """Raise for hyperparameters that do not fit."""
        raise NotImplementedError

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The kinds of state that a group uses."""
        raise NotImplementedError

    def _run(self, store: FlatStore, tables: StepTables, names: set[str]) -> None:
        """One call of the operator."""
        raise NotImplementedError

    def _row(self, group: dict[str, Any]) -> list[float]:
        """The hyperparameters of a group in the order of `columns`."""
        return [float(group[name]) for name in self.columns]

    # ---- groups

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group with options of its own, e.g. unfrozen layers with a smaller lr."""
        if not isinstance(param_group, dict):
            raise TypeError(f"{self._op}: param_group must be a dict, got {type(param_group).__name__}")
        group = self._group(param_group)
        self._require_disjoint([*self.param_groups, group])
        self.param_groups.append(group)
        self._build()

    def _group(self, entry: dict[str, Any]) -> dict[str, Any]:
        known = {"params", "param_names", "initial_lr", *self.defaults}
        unknown = sorted(set(entry) - known)
        if unknown or "params" not in entry:
            raise ValueError(
                f"{self._op}: a parameter group must have the key 'params' and options out of "
                f"{', '.join(self.defaults)}, got {', '.join(map(repr, entry))}"
            )
        members, names = _members(self._op, entry["params"])
        group = {"params": members, **self.defaults, **{k: v for k, v in entry.items() if k != "params"}}
        if names is not None:
            group["param_names"] = names
        elif "param_names" in group:
            self._require_names(group["param_names"], len(members))
        self._check(group)
        return group

    def _require_disjoint(self, groups: list[dict[str, Any]]) -> None:
        members = [parameter for group in groups for parameter in group["params"]]
        if len({id(parameter) for parameter in members}) != len(members):
            raise ValueError(f"{self._op}: params must hold each parameter once, got one twice")
        if not members:
            raise ValueError(f"{self._op}: params must hold at least one parameter, got none")
        names = [name for group in groups for name in group.get("param_names", ())]
        self._require_names(names, len(names))

    def _require_names(self, names: Any, count: int) -> None:
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"{self._op}: names of parameters must be a list of str, got {names!r}")
        if len(names) != count:
            raise ValueError(f"{self._op}: param_names must have {count} names, got {names}")
        if len(set(names)) != len(names):
            raise ValueError(f"{self._op}: names of parameters must differ, got {names}")

    def _build(self) -> None:
        """New stores for all parameters; state moves along."""
        before = [(slot, dict(store.states)) for store in self._stores for slot in store.slots]
        counts = self._counts()
        members = [parameter for group in self.param_groups for parameter in group["params"]]
        self._stores = make_stores(members)
        self._tables = [StepTables(s, len(self.param_groups), len(self.columns)) for s in self._stores]
        self._set_counts(counts)
        slots = self._slots()
        for slot, states in before:
            new = slots[id(slot.parameter)]
            for name, flat in states.items():
                _arrays.write(new.span(new.store.state(name)), slot.span(flat))
        for group in self.param_groups:
            for parameter, name in zip(group["params"], group.get("param_names", ()), strict=False):
                self._names[id(parameter)] = name

    def _slots(self) -> dict[int, Slot]:
        return {id(slot.parameter): slot for store in self._stores for slot in store.slots}

    def _counts(self) -> dict[int, int]:
        """How often each parameter has been updated; waits for the device."""
        return {
            id(slot.parameter): count
            for store, tables in zip(self._stores, self._tables, strict=True)
            for slot, count in zip(store.slots, tables.counts(), strict=True)
        }

    def _set_counts(self, counts: dict[int, int]) -> None:
        for store, tables in zip(self._stores, self._tables, strict=True):
            tables.set_counts([counts.get(id(slot.parameter), 0) for slot in store.slots])

    def name_parameters(self, named_parameters: Iterable[tuple[str, Parameter]]) -> None:
        """Give names to an optimizer that was made without, as `model.named_parameters()` lists them."""
        names = {id(parameter): name for name, parameter in named_parameters}
        for group in self.param_groups:
            missing = [i for i, parameter in enumerate(group["params"]) if id(parameter) not in names]
            if missing:
                raise ValueError(f"{self._op}: named_parameters lacks parameter {missing[0]} of a group")
        own = [names[id(parameter)] for group in self.param_groups for parameter in group["params"]]
        self._require_names(own, len(own))
        for group in self.param_groups:
            group["param_names"] = [names[id(parameter)] for parameter in group["params"]]
            self._names.update({id(parameter): names[id(parameter)] for parameter in group["params"]})

    # ---- steps

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient. closure : computes gradients first; its result is returned."""
        value = None if closure is None else closure()
        for group in self.param_groups:
            self._check(group)
        for store in self._stores:
            for slot in store.slots:
                if not slot.held:
                    raise RuntimeError(
                        f"{self._op}: another optimizer has taken parameter {self._label(slot)}"
                    )
        values = [self._row(group) for group in self.param_groups]
        group_of = {id(p): i for i, group in enumerate(self.param_groups) for p in group["params"]}
        for store, tables in zip(self._stores, self._tables, strict=True):
            rows = [group_of[id(slot.parameter)] if _moves(slot.parameter) else -1 for slot in store.slots]
            if max(rows) >= 0:
                tables.update(rows, values)
                self._step_store(store, tables, rows)
        return value

    def _step_store(self, store: FlatStore, tables: StepTables, rows: list[int]) -> None:
        groups = {row: self.param_groups[row] for row in rows if row >= 0}
        self._run(store, tables, {name for group in groups.values() for name in self._state_names(group)})
        counted = {row for row, group in groups.items() if self._counts_steps(group)}
        for slot, row in zip(store.slots, rows, strict=True):
            if row in counted:
                self._with_state.add(id(slot.parameter))

    def _counts_steps(self, group: dict[str, Any]) -> bool:
        """Whether the operator counts the steps of this group."""
        return True

    def _label(self, slot: Slot) -> str:
        return repr(self._names.get(id(slot.parameter), f"of shape {slot.parameter.shape}"))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients; with set_to_none=False fill those that are there with zeros."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.zero_grad(set_to_none)

    # ---- state

    def _counts_in_state(self) -> bool:
        """Whether PyTorch's state has "step"."""
        return True

    def parameter_state(self, parameter: Parameter) -> dict[str, Any]:
        """The state of one parameter by PyTorch's names: "step" and arrays that are views of the store."""
        slot = self._slots().get(id(parameter))
        if slot is None:
            raise ValueError(f"{self._op}: parameter_state needs a parameter of this optimizer")
        return self._state_of(slot, self._counts())

    def _state_of(self, slot: Slot, counts: dict[int, int]) -> dict[str, Any]:
        parameter = slot.parameter
        if id(parameter) not in self._with_state:
            return {}
        group = next(g for g in self.param_groups if any(p is parameter for p in g["params"]))
        state: dict[str, Any] = {"step": counts[id(parameter)]} if self._counts_in_state() else {}
        for name in self._state_names(group):
            if name in slot.store.states:
                state[name] = slot.view(slot.store.states[name])
        return state

    def state_dict(self, keyed_by: str = "index") -> dict[str, Any]:
        """{"state": {key: {"step": ..., arrays}}, "param_groups": [{options, "params": keys}]}. Arrays are not copied.

        keyed_by : "index" counts parameters over all groups, as PyTorch does; "name" needs names.
        """
        _arrays.one_of(f"{self._op}.state_dict", "keyed_by", keyed_by, ("index", "name"))
        keys = self._keys(keyed_by)
        groups = []
        for group in self.param_groups:
            packed = {name: value for name, value in group.items() if name != "params"}
            packed["params"] = [keys[id(parameter)] for parameter in group["params"]]
            groups.append(packed)
        slots, counts = self._slots(), self._counts()
        members = [parameter for group in self.param_groups for parameter in group["params"]]
        state = {
            keys[id(p)]: self._state_of(slots[id(p)], counts) for p in members if id(p) in self._with_state
        }
        return {"state": state, "param_groups": groups}

    def _keys(self, keyed_by: str) -> dict[int, Any]:
        members = [parameter for group in self.param_groups for parameter in group["params"]]
        if keyed_by == "index":
            return {id(parameter): i for i, parameter in enumerate(members)}
        if len(self._names) < len(members):
            raise ValueError(
                f"{self._op}: parameters have no names; make it with model.named_parameters() or call name_parameters"
            )
        return {id(parameter): self._names[id(parameter)] for parameter in members}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where the optimizer that gave `state_dict` was; this class's or PyTorch's, by index or by name.

        Names are used where both sides have them, so that another order of parameters does no harm. A parameter without
        state there, as before its first step, has none afterwards.
        Raises ValueError that lists what does not fit, before anything has changed.
        """
        groups, keys = self._match(state_dict)
        loaded = {}
        slots = self._slots()
        for group, packed in zip(groups, self.param_groups, strict=True):
            self._check({**packed, **group})
        by_id = {
            id(p): {**own, **new}
            for own, new in zip(self.param_groups, groups, strict=True)
            for p in own["params"]
        }
        for identity, key in keys.items():
            count, arrays = self._checked_state(
                key, state_dict["state"].get(key) or {}, slots[identity], by_id[identity]
            )
            if arrays:
                loaded[identity] = count, arrays
        for own, new in zip(self.param_groups, groups, strict=True):
            own.update(new)
        self._with_state = set(loaded)
        self._set_counts({identity: count for identity, (count, _) in loaded.items()})
        for identity, slot in slots.items():
            arrays = loaded[identity][1] if identity in loaded else {}
            for name in slot.store.states.keys() - arrays.keys():
                _arrays.write(slot.span(slot.store.states[name]), 0)  # the next step is the first with it
            for name, array in arrays.items():
                place = slot.view(slot.store.state(name))
                _arrays.write(place, _backend.move_beside(_arrays.converted(array, place.dtype), place))

    def _match(self, state_dict: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[int, Any]]:
        """The options of each group, and the key of each parameter in state_dict."""
        op = f"{self._op}.load_state_dict"
        if not isinstance(state_dict, dict) or not {"state", "param_groups"} <= set(state_dict):
            raise ValueError(f"{op}: state_dict must have the keys 'state' and 'param_groups'")
        theirs = state_dict["param_groups"]
        sizes = [len(group["params"]) for group in self.param_groups]
        if [len(group["params"]) for group in theirs] != sizes:
            raise ValueError(
                f"{op}: groups must have {sizes} parameters, got {[len(group['params']) for group in theirs]}"
            )
        keys: dict[int, Any] = {}
        for own, group in zip(self.param_groups, theirs, strict=True):
            names = group.get("param_names") or (group["params"] if _all_text(group["params"]) else None)
            mine = [self._names.get(id(parameter)) for parameter in own["params"]]
            if names is None or None in mine:
                keys.update({id(p): key for p, key in zip(own["params"], group["params"], strict=True)})
                continue
            if set(names) != set(mine):
                raise ValueError(
                    f"{op}: missing {sorted(set(mine) - set(names))}, unexpected {sorted(set(names) - set(mine))}"
                )
            place = dict(zip(names, group["params"], strict=True))
            keys.update({id(p): place[name] for p, name in zip(own["params"], mine, strict=True)})
        options = []
        for group in theirs:
            kept = {name: value for name, value in group.items() if name not in _LEFT_OUT}
            unknown = sorted(set(kept) - set(self.defaults) - {"initial_lr"})
            if unknown:
                raise ValueError(f"{op}: unknown options {unknown}; this is the state of another optimizer")
            options.append({name: _plain(value) for name, value in kept.items()})
        return options, keys

    def _checked_state(
        self, key: Any, entry: dict[str, Any], slot: Slot, group: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        op = f"{self._op}.load_state_dict"
        wanted = set(self._state_names(group))
        arrays = {
            name: _backend.as_array(value)
            for name, value in entry.items()
            if name != "step" and value is not None
        }
        if set(arrays) != wanted and arrays:
            raise ValueError(f"{op}: state of {key!r} must hold {sorted(wanted)}, got {sorted(arrays)}")
        for name, array in arrays.items():
            if tuple(array.shape) != slot.parameter.shape:
                raise ValueError(
                    f"{op}: {name} of {key!r} must have shape {slot.parameter.shape}, got {tuple(array.shape)}"
                )
            if not _arrays.is_real(array.dtype):
                raise ValueError(f"{op}: {name} of {key!r} must hold real numbers, got {array.dtype}")
        step = _backend.as_array(entry.get("step", 1))
        count = float(step.item()) if step.size == 1 and _arrays.is_real(step.dtype) else np.nan
        if not (count.is_integer() and 0 <= count < 2**63):  # PyTorch's is a float
            raise ValueError(f"{op}: step of {key!r} must be a whole number in [0, 2**63), got {step}")
        return int(count), arrays

    def __reduce__(self) -> tuple[Any, ...]:
        """`pickle` and `copy.deepcopy` make one of its own, over the parameters of a model that goes along with it."""
        return _remade, (type(self), self.defaults, self.param_groups, self.state_dict())

    def __repr__(self) -> str:
        lines = [f"{self._op} ("]
        for i, group in enumerate(self.param_groups):
            options = ", ".join(f"{k}={group[k]!r}" for k in self.defaults)
            lines.append(f"  group {i}: {len(group['params'])} parameters, {options}")
        return "\n".join([*lines, ")"])


def _remade(
    kind: type[Optimizer], defaults: dict[str, Any], groups: list[dict[str, Any]], state: dict[str, Any]
) -> Optimizer:
    """An optimizer out of a pickle or a copy."""
    optimizer = object.__new__(kind)
    optimizer._start(defaults, groups)
    optimizer.load_state_dict(state)
    return optimizer


def _as_groups(op: str, params: Any) -> list[dict[str, Any]]:
    if isinstance(params, Parameter | np.ndarray) or not isinstance(params, Iterable):
        raise TypeError(
            f"{op}: params must be an iterable of Parameters or dicts, got {type(params).__name__}"
        )
    entries = params if isinstance(params, set | frozenset) else list(params)  # which a group refuses
    if entries and all(isinstance(entry, dict) for entry in entries):
        return entries
    return [{"params": entries}]


def _members(op: str, params: Any) -> tuple[list[Parameter], list[str] | None]:
    if isinstance(params, set | frozenset):
        raise TypeError(
            f"{op}: params must have an order, by which state is kept, got {type(params).__name__}"
        )
    entries = [params] if isinstance(params, Parameter) else list(params)
    named = [isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str) for entry in entries]
    if any(named) and not all(named):
        raise ValueError(f"{op}: params must be all named or all without names")
    members = [entry[1] if is_named else entry for entry, is_named in zip(entries, named, strict=True)]
    for member in members:
        if not isinstance(member, Parameter):
            raise TypeError(f"{op}: params must hold Parameters, got {type(member).__name__}")
    return members, [entry[0] for entry in entries] if entries and all(named) else None


def _moves(parameter: Parameter) -> bool:
    return parameter.requires_grad and parameter.grad is not None


def _plain(option: Any) -> Any:
    """PyTorch's tensors, which a learning rate may be, as numbers; lists as tuples."""
    if isinstance(option, list | tuple):
        return tuple(map(_plain, option))
    value = _backend.from_tensor(option)
    return value.item() if value is not option and value.ndim == 0 else option


def _all_text(keys: list[Any]) -> bool:
    return bool(keys) and all(isinstance(key, str) for key in keys)


def require_numbers(op: str, group: dict[str, Any], **minima: float) -> None:
    """Each named option must be a finite number of at least its minimum."""
    for name, minimum in minima.items():
        _arrays.real(op, name, group[name], minimum=minimum)


def require_flags(op: str, group: dict[str, Any], *names: str) -> None:
    for name in names:
        _arrays.one_of(op, name, group[name], (False, True))
