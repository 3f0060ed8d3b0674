import numpy as np
import pytest

from aipg_plugin.detection.detections import Detections, concatenate, rounded_box
from aipg_plugin.errors import DetectionError

BOX = [[10.0, 20.0, 4.0, 8.0, 30.0]]


def test_nobody() -> None:
    nobody = Detections.empty()
    assert len(nobody) == 0
    assert nobody.boxes.shape == (0, 5)
    assert len(nobody.select([])) == 0
    assert len(nobody.select(np.zeros(0, bool))) == 0
    assert len(concatenate([])) == 0
    assert len(concatenate([nobody, nobody])) == 0
    assert len(Detections.of([], [])) == 0


def test_select_keeps_rows_together() -> None:
    boxes = np.arange(15, dtype=np.float32).reshape(3, 5) + 1
    three = Detections.of(boxes, [0.1, 0.2, 0.3], outlines=[rounded_box(8 + i) for i in range(3)])
    joined = concatenate([three.select([2]), three.select(np.array([True, False, False]))])
    for chosen in (three.select([2, 0]), joined):
        assert chosen.boxes.tolist() == boxes[[2, 0]].tolist()
        assert chosen.scores.tolist() == pytest.approx([0.3, 0.1])
        assert [len(o) for o in chosen.outlines] == [10, 8]


@pytest.mark.parametrize(("fields", "named"), [
    ({"boxes": [[1, 2, 3, 4]]}, "(1, 4)"),
    ({"scores": [0.5, 0.5]}, "(2,)"),
    ({"scores": [1.5]}, "0-1"),
    ({"boxes": [[1, 2, np.nan, 4, 5]]}, "finite"),
    ({"boxes": [[1, 2, 0, 4, 5]]}, "w, h > 0"),
    ({"heads": [[1, 2]]}, "(1, 2)"),
    ({"outlines": [np.zeros((2, 2))]}, "(2, 2)"),
    ({"outlines": [np.full((3, 2), np.inf)]}, "not finite"),
    ({"outlines": []}, "0 outlines"),
])
def test_what_does_not_fit_is_named(fields: dict[str, object], named: str) -> None:
    good: dict[str, object] = {"boxes": BOX, "scores": [0.5]}
    with pytest.raises(DetectionError, match=named.replace("(", r"\(").replace(")", r"\)")):
        Detections.of(**{**good, **fields})  # type: ignore[arg-type]


def test_rounded_box_spans_the_box_and_leaves_its_corners() -> None:
    shape = rounded_box()
    assert np.abs(shape).max(0) == pytest.approx([1, 1])
    assert not (np.abs(shape) > 0.9).all(1).any()
