import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from aipg_plugin.detection import manifest as manifest_module
from aipg_plugin.detection.manifest import find_entry, manifest, read_checked
from aipg_plugin.detection.onnx import available_providers, load_model, open_file
from aipg_plugin.errors import DetectionError, ModelError
from aipg_plugin.options import CustomModel, Models
from tests.detection.nets import FIGURE_WH, red_net

SIDE = 256


def tile_with_figure(cx: int = 100, cy: int = 140) -> np.ndarray:
    tile = np.full((SIDE, SIDE, 3), 60, np.uint8)
    w, h = FIGURE_WH
    tile[cy - h // 2:cy + h // 2, cx - w // 2:cx + w // 2] = (0, 0, 255)
    return tile


def custom(path: Path, **fields: object) -> Models:
    return Models(threads=1, custom=CustomModel(file=str(path), **{"tile_px": SIDE, "classes": 3, **fields}))  # type: ignore[arg-type]


def test_what_it_can_run_on_is_what_can_be_asked_for() -> None:
    assert "cpu" in available_providers()
    assert not [name for name in available_providers() if "azure" in name.lower()]


@pytest.mark.parametrize("layout", ["yolox", "yolov8", "yolov5"])
@pytest.mark.parametrize("rgb", [False, True])
def test_users_own_models_find_the_figure(tmp_path: Path, layout: str, rgb: bool) -> None:
    path = red_net(tmp_path / "own.onnx", layout=layout, classes=3, side=SIDE, scale=1 / 255, rgb=rgb)
    net = load_model(custom(path, layout=layout, scale=1 / 255, colour="rgb" if rgb else "bgr"))
    raw, silhouette = net.run(np.stack([tile_with_figure(), tile_with_figure(60, 200)]))
    assert silhouette is None
    for row, centre in zip(raw, [(100, 140), (60, 200)], strict=True):
        found = net.decode(row, (SIDE, SIDE), 0.5)
        best = found.boxes[found.scores.argmax()]
        assert best[:2] == pytest.approx(centre, abs=8)
        assert best[2:] == pytest.approx(FIGURE_WH, abs=0.1)
        assert np.isnan(found.heads).all()


@pytest.mark.parametrize("batch", [None, 1, 3])
def test_any_number_of_tiles_goes_through_any_batch_size(tmp_path: Path, batch: int | None) -> None:
    net = open_file(red_net(tmp_path / "n.onnx", side=SIDE, batch=batch), tile_px=SIDE, threads=1)
    tiles = np.stack([tile_with_figure(40 + 10 * i) for i in range(5)])
    raw, silhouette = net.run(tiles)
    assert raw.shape[0] == 5
    assert silhouette is not None
    assert silhouette.shape == (5, 1, SIDE // 4, SIDE // 4)
    centres = [net.decode(r, (SIDE, SIDE), 0.3) for r in raw]
    xs = [float(f.boxes[f.scores.argmax(), 0]) for f in centres]
    assert xs == pytest.approx([40, 50, 60, 70, 80], abs=8)


PEAK = """
import resource, sys
import numpy as np
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.options import Models

net = load_model(Models(threads=1))
peaks = []
for count in (1, 6):
    net.run(np.zeros((count, 352, 352, 3), np.uint8))
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
print(peaks[1] - peaks[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kB on Linux alone")
def test_many_tiles_take_little_more_memory_than_one() -> None:
    """The runtime never gives back what a run took."""
    more_mib = int(subprocess.run([sys.executable, "-c", PEAK], check=True, capture_output=True, text=True).stdout)
    assert more_mib < 20


@pytest.mark.parametrize("batch", [None, 2])
def test_threads_say_the_same_of_every_tile_in_the_same_order(tmp_path: Path, batch: int | None) -> None:
    file = red_net(tmp_path / "n.onnx", side=SIDE, batch=batch)
    one, three = (open_file(file, tile_px=SIDE, threads=threads) for threads in (1, 3))
    tiles = np.stack([tile_with_figure(40 + 10 * i) for i in range(7)])
    for expected, got in zip(one.run(tiles), three.run(tiles), strict=True):
        assert expected is not None
        assert got is not None
        assert np.array_equal(got, expected)


def test_a_tile_that_fails_in_a_thread_is_told_as_any_other(tmp_path: Path) -> None:
    net = open_file(red_net(tmp_path / "n.onnx", side=SIDE), tile_px=SIDE, threads=2)
    with pytest.raises(DetectionError, match="failed"):
        net.run(np.zeros((3, SIDE + 3, SIDE, 3), np.uint8))


def test_heads_are_decoded_and_unseen_ones_are_nan(net) -> None:
    raw, _ = net.run(np.full((1, 320, 320, 3), 255, np.uint8) * np.array([0, 0, 1], np.uint8))
    found = net.decode(raw[0], (320, 320), 0.5)
    assert found.heads[:, 1] - found.boxes[:, 1] == pytest.approx(-24.0)
    assert found.heads[:, 2] == pytest.approx(12.0)
    raw[0, :, 8] = 0.2
    assert np.isnan(net.decode(raw[0], (320, 320), 0.5).heads).all()


def test_rows_that_are_not_finite_are_dropped(net) -> None:
    raw, _ = net.run(np.zeros((1, 320, 320, 3), np.uint8))
    raw[0, 0, 4] = np.nan
    raw[0, 1] = np.inf
    raw[0, 2, 4], raw[0, 2, 2] = 0.9, np.nan
    raw[0, 3, 4] = 0.9
    found = net.decode(raw[0], (320, 320), 0.5)
    assert len(found.scores) == 1
    assert np.isfinite(found.boxes).all()


def test_one_session_is_shared(tmp_path: Path) -> None:
    models = custom(red_net(tmp_path / "a.onnx", layout="yolox", classes=3, side=SIDE))
    assert load_model(models) is load_model(models)
    assert load_model(models).provider == "cpu"


def test_missing_provider_falls_back_and_is_reported(tmp_path: Path) -> None:
    net = open_file(red_net(tmp_path / "a.onnx"), tile_px=SIDE, providers=("tensorrt", "cuda", "openvino", "cpu"))
    assert net.provider in {"cpu", "cuda", "tensorrt", "openvino"}


@pytest.mark.parametrize(("fields", "says"), [
    ({"layout": "yolox", "classes": 80}, "needs"),
    ({"layout": "yolov8"}, "needs"),
    ({"layout": "ssd"}, "Use one of: yolox"),
    ({"layout": "yolox", "tile_px": 320}, "tile_px"),
    ({"layout": "yolox", "person_class": 3}, "person_class"),
])
def test_wrong_descriptions_are_clear_errors(tmp_path: Path, fields: dict[str, object], says: str) -> None:
    path = red_net(tmp_path / "a.onnx", layout="yolox", classes=3, side=SIDE)
    with pytest.raises(ModelError, match=says):
        load_model(custom(path, **fields))


def _write_other_input(path: Path, kind: int, shape: list[object], names: tuple[str, ...] = ("x",)) -> Path:
    inputs = [helper.make_tensor_value_info(name, kind, shape) for name in names]
    out = helper.make_tensor_value_info("y", kind, None)
    node = helper.make_node("Identity", [names[0]], ["y"])
    model = helper.make_model(helper.make_graph([node], "g", inputs, [out]),
                              opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize(("kind", "shape", "names"), [
    (TensorProto.INT64, [1, 3, 256, 256], ("x",)), (TensorProto.FLOAT, [1, 256], ("x",)),
    (TensorProto.FLOAT, [1, 1, 256, 256], ("x",)), (TensorProto.FLOAT, [1, 3, 256, 256], ("x", "z")),
])
def test_other_inputs_are_clear_errors(tmp_path: Path, kind: int, shape: list[object], names: tuple[str, ...]) -> None:
    path = _write_other_input(tmp_path / "other.onnx", kind, shape, names)
    with pytest.raises(ModelError, match=r"other\.onnx takes"):
        open_file(path, tile_px=SIDE)


def test_damaged_missing_and_empty_files_are_clear_errors(tmp_path: Path) -> None:
    good = red_net(tmp_path / "good.onnx").read_bytes()
    for name, data in (("cut", good[:len(good) // 2]), ("noise", bytes(range(256)) * 9), ("empty", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ModelError, match=name):
            open_file(tmp_path / name, tile_px=SIDE)
    with pytest.raises(ModelError, match="gone"):
        open_file(tmp_path / "gone", tile_px=SIDE)
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(custom(tmp_path / "gone"))


def write_manifest(folder: Path, **changed: object) -> Path:
    data = red_net(folder / "m.onnx").read_bytes()
    row = {"file": "m.onnx", "tier": "small", "precision": "fp32", "input": {"tile_px": SIDE},
           "sha256": hashlib.sha256(data).hexdigest(), "licence": "Apache-2.0",
           "measured": {"recall": 0.5, "note": "text"}}
    (folder / "models.json").write_text(json.dumps({"models": [{**row, **changed}]}))
    return folder / "models.json"


def test_manifest_model_loads_only_unaltered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_manifest(tmp_path)
    monkeypatch.setattr(manifest_module, "resource_path", lambda *_: path)
    assert find_entry("small", "fp32").accuracy == {"recall": 0.5}
    assert load_model(Models(tier="small", threads=1)).tile_px == SIDE
    (tmp_path / "m.onnx").write_bytes((tmp_path / "m.onnx").read_bytes() + b"\0")
    with pytest.raises(ModelError, match="not the one that was released"):
        read_checked(manifest()[0].path, manifest()[0].sha256)
    with pytest.raises(ModelError, match="there are: small/fp32"):
        load_model(Models(tier="standard"))


def test_bad_manifests(tmp_path: Path) -> None:
    assert manifest(tmp_path / "none.json") == ()
    for text in ("{", "[1]", '{"models": [{"file": "a"}]}', '{"other": 1}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ModelError, match=r"bad\.json"):
            manifest(tmp_path / "bad.json")


def test_every_shipped_model_is_the_released_one_and_runs() -> None:
    entries = manifest()
    if not entries:
        pytest.skip("no shipped models yet")
    for entry in entries:
        net = load_model(Models(tier=entry.tier, precision=entry.precision, threads=1))
        raw, silhouette = net.run(np.zeros((2, 64, 96, 3), np.uint8))
        assert raw.shape == (2, (12 * 8) + (6 * 4) + (3 * 2), 9)
        assert silhouette is not None
        assert silhouette.shape == (2, 1, 16, 24)
