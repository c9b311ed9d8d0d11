"""Arrays of numpy and tensors of torch, as dtype, shape and raw bytes.

This module does not import either library.
"""

from __future__ import annotations

import math
import sys
from typing import Any, Final

from ...errors import UnknownTypeError
from ..model.pattern import compiled
from .leaves import ARRAY, SCALAR, TENSOR, are_same_parts, require
from .refusal import Refusal

_DTYPE: Final = r"[<>|][biufcSUV?]\d{1,10}|[<>][mM]8(\[\d{0,9}[A-Za-z]{1,7}\])?"


def split_array(value: Any, canonical: bool) -> tuple[int, tuple[Any, ...]] | None:
    """Return the tag and parts of an array, array scalar or CPU tensor.

    The result is None for any other value. Raises Refusal.
    """
    kind = type(value)
    home = kind.__module__.partition(".")[0] if isinstance(kind.__module__, str) else ""
    if home == "numpy" and (numpy := sys.modules.get("numpy")):
        if kind is numpy.ndarray:
            return ARRAY, _parts(numpy, value, canonical)
        if issubclass(kind, numpy.str_ | numpy.bytes_) and kind in (numpy.str_, numpy.bytes_):
            return SCALAR, (value.dtype.kind, (), str(value) if kind is numpy.str_ else bytes(value))
        if issubclass(kind, numpy.generic) and value.dtype.type is kind:
            return SCALAR, _parts(numpy, numpy.asarray(value), canonical)
    elif home == "torch" and kind.__name__ == "Tensor" and (numpy := sys.modules.get("numpy")):
        return TENSOR, _parts(numpy, _tensor_array(value), canonical)
    return None


def build_array(tag: int, dtype: Any, shape: Any, data: Any) -> Any:
    """Return the array, array scalar or tensor of these parts.

    Raises UnknownTypeError if its library is not imported.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None:
        raise UnknownTypeError(
            "cannot decode an array: numpy is not imported in this process. Import it first", "numpy:ndarray"
        )
    if tag == SCALAR and type(dtype) is str and dtype in ("U", "S"):
        require(type(shape) is tuple and not shape and type(data) is (str if dtype == "U" else bytes), "scalar")
        return numpy.str_(data) if dtype == "U" else numpy.bytes_(data)
    require(
        type(data) is bytes and type(shape) is tuple and all(type(n) is int and n >= 0 for n in shape),
        "array",
    )
    made_dtype = _build_dtype(numpy, dtype)
    require(math.prod(shape) * made_dtype.itemsize == len(data), "array whose size does not match its shape")
    array = numpy.ndarray(shape, made_dtype, bytearray(data))
    require(_is_valid(numpy, array) and are_same_parts((dtype, shape, data), _parts(numpy, array, False)), "array")
    if tag == ARRAY:
        return array
    if tag == SCALAR:
        require(not shape and array[()].dtype.kind not in "US", "array scalar")
        return array[()]
    torch = sys.modules.get("torch")
    if torch is None:
        raise UnknownTypeError(
            "cannot decode a tensor: torch is not imported in this process. Import it first", "torch:Tensor"
        )
    return torch.from_numpy(array)


def is_immutable_scalar(value: Any) -> bool:
    """Return whether a value is an immutable array scalar."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and issubclass(type(value), numpy.generic) and type(value) is not numpy.void


def _tensor_array(value: Any) -> Any:
    if value.device.type != "cpu":
        raise Refusal(f"is on the device {value.device}; store value.cpu()")
    try:
        return value.detach().numpy()
    except (TypeError, RuntimeError) as error:
        raise Refusal(f"has no numpy form: {error}") from None


def _parts(numpy: Any, array: Any, canonical: bool) -> tuple[Any, ...]:
    description = _describe_dtype(array.dtype)
    if _build_dtype(numpy, description) != array.dtype:
        raise Refusal(f"has a dtype that is not storable: {array.dtype!r}")
    return description, tuple(array.shape), _with_zeroed_padding(numpy, array, canonical).tobytes()


def _describe_dtype(dtype: Any) -> Any:
    """Return a dtype as strings and tuples.

    The description of a structure contains its offsets and padding.
    """
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return "sub", _describe_dtype(base), tuple(shape)
    if dtype.names is not None:
        if any(len(field) > 2 for field in dtype.fields.values()):
            raise Refusal("has a dtype with titles, which are not stored")
        fields = tuple((name, _describe_dtype(dtype.fields[name][0]), dtype.fields[name][1]) for name in dtype.names)
        return "struct", dtype.itemsize, int(dtype.isalignedstruct), fields
    if dtype.hasobject or dtype.kind not in "biufcmMSUV":
        raise Refusal(f"has a dtype that is not storable: {dtype!r}")
    if dtype.itemsize > {"f": 8, "c": 16}.get(dtype.kind, dtype.itemsize):
        raise Refusal("is a long double, which differs between machines; convert it to float64 or complex128")
    return dtype.str


def _build_dtype(numpy: Any, description: Any) -> Any:
    """Return the dtype of a description; only a closed set of forms is valid."""
    if type(description) is str:
        require(compiled(_DTYPE).fullmatch(description), "dtype")
        return numpy.dtype(description)
    require(type(description) is tuple and description, "dtype")
    if description[0] == "sub":
        _, base, shape = description
        require(type(shape) is tuple and all(type(n) is int and n >= 0 for n in shape), "dtype")
        return numpy.dtype((_build_dtype(numpy, base), shape))
    kind, itemsize, aligned, fields = description
    require(kind == "struct" and type(itemsize) is int and aligned in (0, 1) and type(fields) is tuple, "dtype")
    names, formats, offsets = [], [], []
    for name, inner, offset in fields:
        require(type(name) is str and type(offset) is int, "dtype")
        names.append(name)
        formats.append(_build_dtype(numpy, inner))
        offsets.append(offset)
    layout = {"names": names, "formats": formats, "offsets": offsets, "itemsize": itemsize}
    return numpy.dtype(layout, align=bool(aligned))


def _with_zeroed_padding(numpy: Any, array: Any, canonical: bool) -> Any:
    """Return an array with zeros between the fields of a structure.

    In the canonical form, all NaN have the same bytes too.
    """
    if array.dtype.names is not None:
        out = numpy.zeros(array.shape, array.dtype)
        for name in array.dtype.names:
            out[name] = _with_zeroed_padding(numpy, array[name], canonical)
        return out
    if canonical and array.dtype.kind in "fc" and numpy.isnan(array).any():
        array = numpy.array(array)
        for part in (array.real, array.imag) if array.dtype.kind == "c" else (array,):
            part[numpy.isnan(part)] = numpy.nan
    return array


def _is_valid(numpy: Any, array: Any) -> bool:
    """Return whether numpy could have made every item.

    Bools must be 0 or 1, and texts must consist of code points.
    """
    if array.dtype.names is not None:
        return all(_is_valid(numpy, array[name]) for name in array.dtype.names)
    if array.dtype.kind not in "bU" or array.size == 0 or array.dtype.itemsize == 0:
        return True
    flat = numpy.ascontiguousarray(array).reshape(-1)
    if array.dtype.kind == "b":
        return bool(flat.view("u1").max() <= 1)
    return bool(flat.view(array.dtype.byteorder + "u4").max() <= sys.maxunicode)
