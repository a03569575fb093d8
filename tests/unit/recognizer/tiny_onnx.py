"""ONNX files written by hand: a few hundred bytes each, without the onnx package.

Only what tiny test models need: Constant-like initializers and nodes without attributes. The wire
format is protocol buffers' (fields of onnx.proto by number).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

_FLOAT, _UINT8, _INT64 = 1, 2, 7
_TYPES = {"float32": _FLOAT, "uint8": _UINT8, "int64": _INT64}


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        out.append((value & 0x7F) | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def tensor(name: str, values: npt.NDArray[np.generic]) -> bytes:
    """A TensorProto."""
    out = b"".join(_number(1, d) for d in values.shape)
    out += _number(2, _TYPES[values.dtype.name]) + _bytes(8, name)
    return out + _bytes(9, values.tobytes())


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **integers: int) -> bytes:
    """A NodeProto; attributes are integers."""
    out = b"".join(_bytes(1, i) for i in inputs) + b"".join(_bytes(2, o) for o in outputs)
    out += _bytes(4, operator)
    for name, value in integers.items():
        out += _bytes(5, _bytes(1, name) + _number(3, value) + _number(20, 2))
    return out


def value(name: str, kind: str, shape: Sequence[int | str]) -> bytes:
    """A ValueInfoProto; a text in `shape` is a free dimension."""
    dimensions = b"".join(
        _bytes(1, _bytes(2, d) if isinstance(d, str) else _number(1, d)) for d in shape
    )
    of_tensor = _number(1, _TYPES[kind]) + _bytes(2, dimensions)
    return _bytes(1, name) + _bytes(2, _bytes(1, of_tensor))


def write(
    path: Path, nodes: Sequence[bytes], initializers: Sequence[bytes], inputs: Sequence[bytes],
    outputs: Sequence[bytes],
) -> Path:  # fmt: skip
    """Write a ModelProto (opset 17)."""
    graph = b"".join(_bytes(1, n) for n in nodes) + _bytes(2, "tiny")
    graph += b"".join(_bytes(5, t) for t in initializers)
    graph += b"".join(_bytes(11, i) for i in inputs) + b"".join(_bytes(12, o) for o in outputs)
    path.write_bytes(_number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _number(2, 17)))
    return path


def constant_detector(
    path: Path, rows: npt.NDArray[np.float32], size: tuple[int | str, int | str] = ("h", "w"),
    batch: int | str = 1,
) -> Path:  # fmt: skip
    """A detector that answers `rows`, whatever it sees."""
    return write(
        path,
        [
            node("ReduceMean", ["images"], ["mean"], keepdims=0),
            node("Mul", ["mean", "nothing"], ["none"]),
            node("Add", ["rows", "none"], ["out"]),
        ],
        [tensor("rows", rows), tensor("nothing", np.zeros((), np.float32))],
        [value("images", "float32", [batch, 3, *size])],
        [value("out", "float32", list(rows.shape))],
    )


def constant_slots(
    path: Path, slots: npt.NDArray[np.float32], height: int, width: int, channels: int = 1
) -> Path:
    """An OCR of the fast-alpr family that answers `slots` [1, slots, alphabet] to every picture."""
    return write(
        path,
        [
            node("Cast", ["input"], ["floats"], to=_FLOAT),
            node("ReduceMean", ["floats"], ["mean"], keepdims=0),
            node("Mul", ["mean", "nothing"], ["none"]),
            node("Add", ["slots", "none"], ["out"]),
        ],
        [tensor("slots", slots), tensor("nothing", np.zeros((), np.float32))],
        [value("input", "uint8", ["b", height, width, channels])],
        [value("out", "float32", list(slots.shape))],
    )
