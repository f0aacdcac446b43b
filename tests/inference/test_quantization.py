import numpy as np
import onnx
import pytest
import torch
from tiny import drawn, saved_photos

from tagsight.data.annotations import Annotations
from tagsight.errors import DataError
from tagsight.inference.networks import open_network
from tagsight.inference.quantization import export_quantized
from tagsight.inference.recognizer import Recognizer

pytestmark = pytest.mark.usefixtures("exported_once")


@pytest.fixture(scope="module")
def rows(model, tmp_path_factory) -> Annotations:
    """Photos, labelled with what the model says of them: its mAP is 100."""
    images = drawn(24)[0]
    paths = saved_photos(tmp_path_factory.mktemp("photos"), images)
    with torch.no_grad():
        logits = model.system(images).logits
    targets = (logits > logits.median(0).values).to(torch.int8)
    return Annotations(model.labels.names, tuple(paths), targets, splits=None, format="csv-columns")


@pytest.mark.parametrize("ending", [".onnx", ".xml"])
def test_a_file_computes_in_8_bits_and_says_nearly_the_same(model, rows, ending, tmp_path):
    file = tmp_path / f"m{ending}"
    settings = {"calibration": rows.paths[:12], "validation": rows, "max_map_drop": 20}
    done = export_quantized(model, file, rows.paths[:4], **settings)
    assert (done.photos, done.before > 99, 80 < done.after <= 100) == (len(rows), True, True)
    assert 1e-7 < done.agreement.scores < 0.1
    for result in Recognizer(open_network(file)).recognize(rows.paths[:4]):
        np.testing.assert_allclose(result.maps.mean((1, 2)), result.logits, atol=1e-4)
    if ending == ".onnx":
        nodes = onnx.load(file).graph.node
        made_by = {output: node.op_type for node in nodes for output in node.output}
        first, *others = [node for node in nodes if node.op_type == "Conv"]
        assert made_by.get(first.input[0]) != "DequantizeLinear"
        assert others
        for node in others:
            assert {made_by[name] for name in node.input[:2]} == {"DequantizeLinear"}


def test_a_file_that_loses_too_much_is_not_delivered(model, rows, tmp_path):
    file = tmp_path / "m.onnx"
    file.write_bytes(b"of yesterday")
    settings = {"calibration": rows.paths[:4], "validation": rows, "max_map_drop": -1}
    with pytest.raises(DataError, match=r"expected an mAP at most -1 below .*`max_map_drop`"):
        export_quantized(model, file, rows.paths[:1], **settings)
    assert file.read_bytes() == b"of yesterday"
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
