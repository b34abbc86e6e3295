"""Meshes of flat, coloured triangles, and the binary glTF 2.0 (GLB) file they are written to."""

from __future__ import annotations

import json
import math
import struct
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .medium import MARK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .palette import Colour

Vector = tuple[float, float, float]
_FLOAT, _BYTE, _ARRAY_BUFFER = 5126, 5121, 34962


def minus(a: Vector, b: Vector) -> Vector:
    """Return a - b."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """Return the cross product of two vectors."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def dot(a: Vector, b: Vector) -> float:
    """Return the dot product of two vectors."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(a: Vector) -> Vector:
    """Return the vector with length 1; the zero vector becomes up."""
    long = math.sqrt(a[0] ** 2 + a[1] ** 2 + a[2] ** 2)
    return (a[0] / long, a[1] / long, a[2] / long) if long > 1e-12 else (0.0, 1.0, 0.0)


@dataclass(slots=True)
class Mesh:
    """Triangles, each with its own corners, so that every face is flat; metallic and rough from 0 to 1."""

    name: str
    metallic: float = 0.0
    rough: float = 0.6
    positions: array[float] = field(default_factory=lambda: array("f"))
    normals: array[float] = field(default_factory=lambda: array("f"))
    colours: bytearray = field(default_factory=bytearray)

    def face(self, corners: Sequence[Vector], colour: Colour) -> None:
        """Add a flat, convex face whose corners run anticlockwise, seen from outside."""
        normal = unit(cross(minus(corners[1], corners[0]), minus(corners[-1], corners[0])))
        tint = bytes([*(_linear(channel) for channel in colour), 255])
        for i in range(1, len(corners) - 1):
            for corner in (corners[0], corners[i], corners[i + 1]):
                self.positions.extend(corner)
                self.normals.extend(normal)
                self.colours += tint

    def box(self, low: Vector, high: Vector, colour: Colour) -> None:
        """Add a box between two corners."""
        (a, b, c), (x, y, z) = low, high
        for corners in (
            [(a, b, z), (x, b, z), (x, y, z), (a, y, z)], [(x, b, c), (a, b, c), (a, y, c), (x, y, c)],
            [(x, b, z), (x, b, c), (x, y, c), (x, y, z)], [(a, b, c), (a, b, z), (a, y, z), (a, y, c)],
            [(a, y, z), (x, y, z), (x, y, c), (a, y, c)], [(a, b, c), (x, b, c), (x, b, z), (a, b, z)],
        ):  # fmt: skip
            self.face(corners, colour)


def _linear(channel: int) -> int:
    # glTF multiplies vertex colours in linear light; ours are sRGB.
    value = channel / 255
    return round(255 * (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4))


def glb(meshes: Iterable[Mesh], extras: dict[str, Any]) -> bytes:
    """Return a GLB file of the meshes, in one scene, with `extras` in its asset."""
    binary = bytearray()
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []
    meshes = list(meshes)

    def accessor(data: bytes, component: int, shape: str, count: int, more: dict[str, Any]) -> int:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(data), "target": _ARRAY_BUFFER})
        accessors.append(
            {"bufferView": len(views) - 1, "componentType": component, "type": shape, "count": count, **more}
        )
        binary.extend(data + bytes(-len(data) % 4))
        return len(accessors) - 1

    primitives = []
    for index, mesh in enumerate(meshes):
        count = len(mesh.positions) // 3
        bounds = {
            "min": [min(mesh.positions[k::3]) for k in range(3)],
            "max": [max(mesh.positions[k::3]) for k in range(3)],
        }
        attributes = {
            "POSITION": accessor(_little(mesh.positions), _FLOAT, "VEC3", count, bounds),
            "NORMAL": accessor(_little(mesh.normals), _FLOAT, "VEC3", count, {}),
            "COLOR_0": accessor(bytes(mesh.colours), _BYTE, "VEC4", count, {"normalized": True}),
        }
        primitives.append({"attributes": attributes, "material": index, "mode": 4})
    document = {
        "asset": {"version": "2.0", "generator": MARK, "extras": extras},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(meshes)))}],
        "nodes": [{"name": mesh.name, "mesh": i} for i, mesh in enumerate(meshes)],
        "meshes": [{"name": mesh.name, "primitives": [primitives[i]]} for i, mesh in enumerate(meshes)],
        "materials": [
            {
                "name": mesh.name,
                "pbrMetallicRoughness": {"metallicFactor": mesh.metallic, "roughnessFactor": mesh.rough},
            }
            for mesh in meshes
        ],
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": views,
        "accessors": accessors,
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _little(values: array[float]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)
