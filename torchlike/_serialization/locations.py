"""Where storages lie: the tags in checkpoints, and how a storage is put back to such a place."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from torchlike._core import device as devices
from torchlike.storage import UntypedStorage

Tagger = Callable[[Any], str | None]
Deserializer = Callable[[Any, str], Any]

_registry: list[tuple[int, Tagger, Deserializer]] = []


def register_package(priority: int, tagger: Tagger, deserializer: Deserializer) -> None:
    """Teach ``save`` and ``load`` a kind of device.

    ``tagger(storage)`` returns the tag of a storage or None, ``deserializer(storage, tag)`` the storage in the place of
    the tag or None. The lowest priority is asked first.

    >>> torch.serialization.register_package(1000, lambda storage: None, lambda storage, tag: None)
    """
    _registry.append((priority, tagger, deserializer))
    _registry.sort(key=lambda entry: entry[0])


def location_tag(storage: Any) -> str:
    """Return the tag under which the place of a storage is saved; raises RuntimeError for places without one.

    >>> torch.serialization.location_tag(torch.zeros(1).untyped_storage())
    'cpu'
    """
    for _, tagger, _ in _registry:
        tag = tagger(storage)
        if tag:
            return tag
    raise RuntimeError(f"don't know how to determine data location of {_typename(storage)}")


def default_restore_location(storage: Any, location: str) -> Any:
    """Return the storage in the place of a tag; raises RuntimeError for tags of places that are not there.

    >>> storage = torch.zeros(1).untyped_storage()
    >>> torch.serialization.default_restore_location(storage, "cpu") is storage
    True
    """
    for _, _, deserializer in _registry:
        found = deserializer(storage, location)
        if found is not None:
            return found
    raise RuntimeError(f"don't know how to restore data location of {_typename(storage)} (tagged with {location})")


def _typename(storage: Any) -> str:
    return f"{type(storage).__module__}.{type(storage).__name__}"


def restorer(map_location: Any) -> Deserializer:
    """The function that puts storages where ``map_location`` says."""
    if map_location is None:
        return default_restore_location
    if isinstance(map_location, dict):
        return lambda storage, tag: default_restore_location(storage, map_location.get(tag, tag))
    if isinstance(map_location, (str, bytes, devices.device)):
        place: Any = str(map_location) if isinstance(map_location, devices.device) else map_location
        return lambda storage, tag: default_restore_location(storage, place)

    def by_function(storage: Any, tag: str) -> Any:
        result = map_location(storage, tag)
        return default_restore_location(storage, tag) if result is None else result

    return by_function


def is_meta(map_location: Any) -> bool:
    """Whether everything goes to the meta device, so that no data need be read."""
    return str(map_location) == "meta" and isinstance(map_location, (str, devices.device))


def validate_device(location: str, backend: str) -> Any:
    """The device that a tag names; raises RuntimeError when there is no such device in this process."""
    place = devices.device(location)
    index = place.index or 0
    count = devices.cuda_count() if backend == "cuda" else 0
    advice = " Please use torch.load with map_location to map your storages to an existing device."
    if count == 0:
        raise RuntimeError(
            f"Attempting to deserialize object on a {backend.upper()} device but torch.{backend}.is_available() is"
            " False. If you are running on a CPU-only machine, please use torch.load with"
            " map_location=torch.device('cpu') to map your storages to the CPU."
        )
    if index >= count:
        raise RuntimeError(
            f"Attempting to deserialize object on {backend.upper()} device {index} but torch.{backend}.device_count()"
            f" is {count}." + advice
        )
    return devices.device(backend, index)


def validate_cuda_device(location: str) -> int:
    """Return the index of the CUDA device that a tag names; raises RuntimeError when it is not there."""
    return int(validate_device(location, "cuda").index)


def validate_hpu_device(location: str) -> int:
    """Raise RuntimeError: there are no such devices here."""
    raise RuntimeError(
        "The HPU device module is not registered. If you are running on a CPU-only machine, please use torch.load with"
        " map_location=torch.device('cpu') to map your storages to the CPU."
    )


def _tag_of(kind: str) -> Tagger:
    def tag(storage: Any) -> str | None:
        place = storage.device
        return None if place.type != kind else kind if place.index is None else f"{kind}:{place.index}"

    return tag


def _on_cpu(storage: Any, location: str) -> Any:
    return storage if location == "cpu" else None


def _on_meta(storage: Any, location: str) -> Any:
    return UntypedStorage(storage.nbytes(), device="meta") if location == "meta" else None


def _on_cuda(storage: Any, location: str) -> Any:
    if location == "cuda" or re.match(r"cuda(:|[0-9]+)", location):
        return storage.to(device=validate_device(location, "cuda"))
    return None


def _on_xla(storage: Any, location: str) -> Any:
    if location == "xla" or location.startswith("xla:"):
        return storage.to(device=location)
    return None


def _on_hpu(storage: Any, location: str) -> Any:
    return validate_hpu_device(location) if location.startswith("hpu") else None


for _priority, _kind, _deserializer in (
    (10, "cpu", _on_cpu),
    (20, "cuda", _on_cuda),
    (22, "meta", _on_meta),
    (24, "hpu", _on_hpu),
    (30, "xla", _on_xla),
):
    register_package(_priority, _tag_of(_kind), _deserializer)
