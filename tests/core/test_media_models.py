"""The sandbox's 3D models: valid binary glTF, read by trimesh and number by number."""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest
import trimesh

from genstep.sandbox.media import make


@pytest.mark.parametrize("prompt", ["a gem", "an island", "a knot", "an ice crystal", "🦊", "\ud800 anything"])
def test_a_model_is_a_coloured_scene_with_sound_numbers(prompt: str) -> None:
    data = make("model3d", prompt).data
    scene = trimesh.load_scene(io.BytesIO(data), file_type="glb")
    assert len(scene.geometry) == 2
    size = scene.bounds[1] - scene.bounds[0]
    assert (size > 0.5).all()
    assert (size < 3).all()
    assert any("SANDBOX" in name for name in scene.geometry)

    assert struct.unpack_from("<4sII", data) == (b"glTF", 2, len(data))
    length, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    assert length % 4 == 0
    document = json.loads(data[20 : 20 + length])
    binary_length, kind = struct.unpack_from("<I4s", data, 20 + length)
    binary = data[28 + length :]
    assert (kind, binary_length, len(binary) % 4) == (b"BIN\0", len(binary), 0)
    assert document["buffers"] == [{"byteLength": len(binary)}]
    assert document["asset"]["version"] == "2.0"
    assert document["asset"]["generator"] == "genstep sandbox"
    assert document["asset"]["extras"]["sandbox"] is True
    assert document["asset"]["extras"]["prompt"] == prompt.encode("utf-8", "replace").decode()

    def values(index: int, kind: str, width: int) -> np.ndarray:
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        assert view["byteOffset"] % 4 == 0
        return np.frombuffer(binary, kind, accessor["count"] * width, view["byteOffset"]).reshape(-1, width)

    for mesh in document["meshes"]:
        attributes = mesh["primitives"][0]["attributes"]
        places = values(attributes["POSITION"], "<f4", 3)
        bounds = document["accessors"][attributes["POSITION"]]
        assert np.array_equal(places.min(axis=0), np.float32(bounds["min"]))
        assert np.array_equal(places.max(axis=0), np.float32(bounds["max"]))
        assert np.allclose(np.linalg.norm(values(attributes["NORMAL"], "<f4", 3), axis=1), 1, atol=1e-4)
        assert len(np.unique(values(attributes["COLOR_0"], "u1", 4), axis=0)) >= 3


def test_faces_look_outwards() -> None:
    for prompt in ("a gem", "a knot", "a crystal"):
        scene = trimesh.load_scene(io.BytesIO(make("model3d", prompt).data), file_type="glb")
        for name, shape in scene.geometry.items():
            if "SANDBOX" not in name:
                shape.merge_vertices(merge_norm=True, merge_tex=True)
                assert shape.volume > 0.1
