"""The net computes what its base does, and ships by its contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from training.config import Config
from training.export import entry, export_fp32, update_manifest
from training.net import ExportNet, YoloxPersonNet, anchor_grid
from training.port import (
    base_of,
    focus_to_conv,
    load_rtmdet,
    load_yolox,
    net_of,
    person_net,
    single_class,
)
from training.rtmdet import MEAN_BGR, STD_BGR, RtmPersonNet
from training.train import build


def test_focus_is_one_convolution() -> None:
    torch.manual_seed(0)
    x, w = torch.rand(1, 3, 32, 48), torch.rand(5, 12, 3, 3)
    slices = torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1)
    a = torch.conv2d(slices, w, padding=1)
    b = torch.conv2d(x, focus_to_conv(w), stride=2, padding=2)
    assert torch.allclose(a, b, atol=1e-4)


def test_ported_weights_compute_the_same(shared: Path) -> None:
    path = shared / "data/peers/yolox_nano.onnx"
    x = np.random.default_rng(0).uniform(0, 255, (1, 3, 416, 416)).astype(np.float32)
    wanted = ort.InferenceSession(str(path)).run(None, {"images": x})[0]
    with torch.no_grad():
        p = load_yolox(path)(torch.from_numpy(x))
        single = person_net(path)(torch.from_numpy(x))
    ours = torch.cat([p.box, torch.sigmoid(p.obj)[..., None], torch.sigmoid(p.cls)], 2).numpy()
    assert np.abs(ours - wanted).max() < 1e-3
    assert np.abs(single.score().numpy() - wanted[..., 4] * wanted[..., 5]).max() < 1e-3


def test_rtmdets_ported_weights_compute_the_same(shared: Path) -> None:
    path = shared / "data/peers/rtmdet_nano_person.onnx"
    import onnx

    file = onnx.load(str(path))
    # The file's boxes and scores before its own NMS: distances as they come, and class logits, level by level.
    names = [node.output[0] for node in file.graph.node
             if node.op_type == "Conv" and node.input[1].startswith(("bbox_head.rtm_cls", "bbox_head.rtm_reg"))]
    file.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    x = np.random.default_rng(0).uniform(0, 255, (1, 3, 192, 256)).astype(np.float32)
    mean, std = (np.array(v, np.float32).reshape(1, 3, 1, 1) for v in (MEAN_BGR, STD_BGR))
    found = ort.InferenceSession(file.SerializeToString()).run(names, {"input": (x - mean) / std})
    flat = [v.reshape(v.shape[1], -1).T for v in found]
    logits, distances = np.concatenate(flat[0::2])[:, 0], np.concatenate(flat[1::2])
    with torch.no_grad():
        p = load_rtmdet(path)(torch.from_numpy(x))
    assert p.obj is None
    assert np.abs(p.cls[0, :, 0].numpy() - logits).max() < 1e-3
    middle, size = p.box[0, :, :2].numpy(), p.box[0, :, 2:].exp().numpy()
    assert np.abs(middle - (distances[:, 2:] - distances[:, :2]) / 2).max() < 1e-3
    assert np.abs(size - np.maximum(distances[:, 2:] + distances[:, :2], 0.05)).max() < 1e-3


def test_the_folded_normalisation_changes_the_border_alone() -> None:
    torch.manual_seed(4)
    net, image = RtmPersonNet().eval(), torch.rand(1, 3, 64, 64) * 255
    first = net.backbone.stem[0][0]
    with torch.no_grad():
        wanted = first((image - net.mean) / net.std)
        net.fold_normalisation()
        got = first(image)
    assert torch.allclose(got[..., 1:, 1:], wanted[..., 1:, 1:], atol=1e-3)


def test_a_checkpoint_says_which_net_it_is() -> None:
    for net, name in ((YoloxPersonNet(classes=80), "yolox_nano"), (RtmPersonNet(), "rtmdet_nano")):
        assert base_of(net.state_dict()) == name
        assert type(net_of(net.state_dict())) is type(net)


def test_the_person_alone_computes_what_it_did_beside_the_other_classes() -> None:
    torch.manual_seed(3)
    full, alone = YoloxPersonNet(classes=80), YoloxPersonNet()
    for head in full.heads:
        torch.nn.init.normal_(head.get_submodule("point").weight)  # type: ignore[arg-type]
    state = full.state_dict()
    alone.load_state_dict(single_class(state))
    for key, weight in alone.state_dict().items():
        assert torch.equal(weight, state[key][: len(weight)])
    assert all(torch.equal(v, single_class(single_class(state))[k]) for k, v in alone.state_dict().items())
    image = torch.rand(2, 3, 96, 64) * 255
    with torch.no_grad():
        wanted, got = full(image), alone(image)
    for part in ("box", "obj", "point", "silhouette"):
        assert torch.equal(getattr(got, part), getattr(wanted, part))
    # Products with 80 columns may be summed in another order than with one: the last bits differ.
    assert torch.allclose(got.cls[..., 0], wanted.cls[..., 0], atol=1e-6, rtol=1e-5)


def test_training_starts_with_all_of_the_bases_classes(shared: Path, tmp_path: Path) -> None:
    base = load_yolox(shared / "data/peers/yolox_nano.onnx").state_dict()
    start = YoloxPersonNet()
    torch.save({"ema": start.state_dict()}, tmp_path / "start.pt")
    state = build(Config(data=str(shared / "data"), start=str(tmp_path / "start.pt")), torch.device("cpu"))
    for key, weight in state.net.state_dict().items():
        given = start.state_dict()[key]
        assert torch.equal(weight[: len(given)], given)
        assert torch.equal(weight[len(given) :], base[key][len(given) :])
        assert torch.equal(weight, state.average.state_dict()[key])


def test_a_file_of_another_layout_is_refused(shared: Path) -> None:
    with pytest.raises(ValueError, match="convolutions, expected"):
        load_yolox(shared / "data/peers/fastestdet.onnx")


def test_anchor_order_is_strides_then_rows() -> None:
    cells, strides = anchor_grid(64, 96, torch.device("cpu"))
    assert cells[1].tolist() == [1, 0]
    assert cells[12].tolist() == [0, 1]
    assert strides.tolist() == [8.0] * 96 + [16.0] * 24 + [32.0] * 6


@pytest.mark.parametrize("layout", [YoloxPersonNet, RtmPersonNet])
def test_export_keeps_the_contract(tmp_path: Path, layout: type[YoloxPersonNet | RtmPersonNet]) -> None:
    torch.manual_seed(1)
    net = layout()
    torch.save({"ema": net.state_dict()}, tmp_path / "last.pt")
    out = tmp_path / "person_standard_fp32.onnx"
    export_fp32(tmp_path / "last.pt", out)
    session = ort.InferenceSession(str(out))
    x = np.random.default_rng(2).uniform(0, 255, (2, 3, 96, 128)).astype(np.float32)
    raw, silhouette = session.run(None, {"image": x})
    assert raw.shape == (2, 12 * 16 + 6 * 8 + 3 * 4, 9)
    assert silhouette.shape == (2, 1, 24, 32)
    if isinstance(net, RtmPersonNet):
        net.fold_normalisation()
    with torch.no_grad():
        wanted = ExportNet(net)(torch.from_numpy(x))
    assert np.allclose(raw, wanted[0].numpy(), atol=1e-3)
    assert raw[..., [4, 8]].min() >= 0
    assert raw[..., [4, 8]].max() <= 1


def test_manifest_replaces_a_model_of_the_same_name(tmp_path: Path) -> None:
    import hashlib
    import json

    file = tmp_path / "person_small_fp32.onnx"
    for content in (b"first", b"second"):
        file.write_bytes(content)
        update_manifest(tmp_path, entry(file, "small", "fp32", {}))
    rows = json.loads((tmp_path / "models.json").read_text())["models"]
    assert [r["sha256"] for r in rows] == [hashlib.sha256(b"second").hexdigest()]
