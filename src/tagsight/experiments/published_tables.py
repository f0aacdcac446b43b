"""Tables 1 to 4 of the G-CAM paper, and how each of their rows was measured, as far as known.

Wang, Xie, Liu and Fan. G-CAM: Graph Convolution Network Based Class Activation Mapping for
Multi-label Image Recognition. ICMR 2021. https://doi.org/10.1145/3460426.3463620

The rows of one table were not all measured alike. The class F1 is the harmonic mean of CP and CR in
some rows and the mean of the labels' F1 in others; "top 3" is either always three labels or only
those with a score of at least 0.5; and resolutions differ. Each row states what its arithmetic
implies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

ALL = ("mAP", "CP", "CR", "CF1", "OP", "OR", "OF1")
TOP3 = ("CP", "CR", "CF1", "OP", "OR", "OF1")

ClassF1 = Literal["harmonic", "mean of F1", "unknown"]
Top3 = Literal["exactly 3", "3 at most", "variable", "unknown"]

Number = float | None


class PublishedRow(NamedTuple):
    """A row of a table, in percent; None where the paper has a dash.

    Attributes:
        method: Name in the paper.
        system: Our system.
        all_labels: ``mAP CP CR CF1 OP OR OF1`` over all labels.
        top3: ``CP CR CF1 OP OR OF1`` of three labels per photo.
        setting: Resolution in pixels and encoder, where known.
        class_f1: Definition of its class F1, implied by the arithmetic of the row.
        top3_rule: Meaning of three labels, implied by the arithmetic of the row.
        note: Other obstacles to a comparison.
    """

    method: str
    system: str
    all_labels: tuple[Number, ...]
    top3: tuple[Number, ...]
    setting: str
    class_f1: ClassF1 = "harmonic"
    top3_rule: Top3 = "unknown"
    note: str = ""


NONE_ALL: tuple[Number, ...] = (None,) * len(ALL)
STATED = "stated as 224 and 192, ResNet-101"
R448 = "448, ResNet-101"
UNSAID = "ResNet-101, resolution not given"
RERUN = "rerun by the authors of G-CAM"

FLICKR25K = (
    PublishedRow(
        "ML-GCN",
        "ml-gcn",
        (79.9, 79.2, 67.9, 73.1, 83.5, 74.8, 78.9),
        (85.1, 49.3, 62.4, 88.6, 57.1, 69.4),
        UNSAID,
        top3_rule="exactly 3",
        note=RERUN,
    ),
    PublishedRow(
        "A-GCN",
        "a-gcn",
        (80.0, 79.1, 68.0, 73.1, 83.3, 75.1, 79.0),
        (85.1, 49.4, 62.5, 88.7, 57.2, 69.5),
        UNSAID,
        top3_rule="exactly 3",
        note=RERUN,
    ),
    PublishedRow(
        "VACIT",
        "vac",
        (80.4, 83.6, 64.9, 72.5, 86.8, 73.3, 79.5),
        (85.7, 48.9, 62.3, 89.2, 57.6, 70.0),
        UNSAID,
        class_f1="mean of F1",
        top3_rule="exactly 3",
        note=RERUN,
    ),
    PublishedRow(
        "G-CAM",
        "gcam",
        (81.4, 84.7, 65.4, 73.3, 87.5, 73.5, 80.0),
        (86.8, 49.4, 63.0, 90.0, 58.6, 71.0),
        STATED,
        class_f1="mean of F1",
        top3_rule="exactly 3",
        note="another run or split than the rows above, by the rounding of its figures",
    ),
)

COCO = (
    PublishedRow(
        "CNN-RNN",
        "cnn-rnn",
        (61.2, *NONE_ALL[1:]),
        (66.0, 55.6, 60.4, 69.2, 66.4, 67.8),
        "224, VGG-16",
        top3_rule="variable",
        note="its mAP is a mean over photos of their first ten labels, not over labels",
    ),
    PublishedRow(
        "RNN-Attention",
        "rnn-attention",
        NONE_ALL,
        (79.1, 58.7, 67.4, 84.0, 63.0, 72.0),
        "512 to 640, VGG-16",
        top3_rule="3 at most",
    ),
    PublishedRow(
        "Order-Free RNN",
        "order-free-rnn",
        NONE_ALL,
        (71.6, 54.8, 62.1, 74.2, 62.2, 67.7),
        "ResNet-152",
        top3_rule="variable",
    ),
    PublishedRow(
        "ML-ZSL",
        "ml-zsl",
        NONE_ALL,
        (74.1, 64.5, 69.0, None, None, None),
        "features of ResNet-152",
    ),
    PublishedRow(
        "SRN",
        "srn",
        (77.1, 81.6, 65.4, 71.2, 82.7, 69.9, 75.8),
        (85.2, 58.8, 67.4, 87.4, 62.5, 72.9),
        "224, ResNet-101",
        class_f1="mean of F1",
        top3_rule="3 at most",
        note="AP of VOC 2010",
    ),
    PublishedRow(
        "Multi-Evidence",
        "multi-evidence",
        (None, 80.4, 70.2, 74.9, 85.2, 72.5, 78.4),
        (84.5, 62.2, 70.6, 89.1, 64.3, 74.7),
        "ResNet-101, a pipeline",
        top3_rule="3 at most",
        note="the class F1 of three labels is a mean of F1",
    ),
    PublishedRow(
        "ResNet-101",
        "resnet",
        (77.3, 80.2, 66.7, 72.8, 83.9, 70.8, 76.8),
        (84.1, 59.4, 69.7, 89.1, 62.8, 73.6),
        R448,
        top3_rule="3 at most",
        note="average pooling; with max pooling the same source has 81.9",
    ),
    PublishedRow(
        "ML-GCN",
        "ml-gcn",
        (83.0, 85.1, 72.0, 78.0, 85.8, 75.4, 80.3),
        (89.2, 64.1, 74.6, 90.5, 66.5, 76.7),
        R448,
        top3_rule="3 at most",
        note="max pooling",
    ),
    PublishedRow(
        "A-GCN",
        "a-gcn",
        (83.1, 84.7, 72.3, 78.0, 85.6, 75.5, 80.3),
        (89.0, 64.2, 74.6, 90.5, 66.3, 76.6),
        R448,
        top3_rule="3 at most",
    ),
    PublishedRow(
        "VACIT",
        "vac",
        (77.5, 77.4, 68.3, 72.2, 79.8, 73.1, 76.3),
        (85.2, 59.4, 68.0, 86.6, 63.3, 73.1),
        "288 and 256, ResNet-101",
        class_f1="mean of F1",
        top3_rule="3 at most",
        note="AP of scikit-learn; photos without a label are counted",
    ),
    PublishedRow(
        "G-CAM",
        "gcam",
        (84.1, 81.6, 75.1, 78.2, 83.4, 78.1, 80.7),
        (85.1, 65.1, 73.7, 90.0, 67.1, 76.9),
        STATED,
        top3_rule="3 at most",
        note="plausible at 448 only",
    ),
)

NUS_WIDE = (
    PublishedRow(
        "KNN",
        "knn",
        NONE_ALL,
        (32.6, 19.3, 24.3, 42.9, 53.4, 47.6),
        "hand-made features",
        top3_rule="exactly 3",
        note="test photos with 2.41 labels each",
    ),
    PublishedRow(
        "WARP",
        "warp",
        NONE_ALL,
        (31.7, 35.6, 33.5, 48.6, 60.5, 53.9),
        "220, an AlexNet",
        top3_rule="exactly 3",
        note="test photos with 2.41 labels each",
    ),
    PublishedRow(
        "CNN-RNN",
        "cnn-rnn",
        NONE_ALL,
        (40.5, 30.4, 34.7, 49.9, 61.7, 55.2),
        "224, VGG-16",
        top3_rule="exactly 3",
        note="test photos with 2.43 labels each",
    ),
    PublishedRow(
        "ResNet-101",
        "resnet",
        (59.8, 65.8, 51.9, 55.7, 75.9, 69.5, 72.5),
        (46.9, 56.8, 47.0, 55.8, 69.1, 61.7),
        "224, ResNet-101",
        class_f1="mean of F1",
        top3_rule="exactly 3",
        note="AP of VOC 2010; SRN's selection of photos, 2.42 labels each",
    ),
    PublishedRow(
        "SRN",
        "srn",
        (62.0, 65.2, 55.8, 58.5, 75.5, 71.5, 73.4),
        (48.2, 58.9, 48.9, 56.2, 69.6, 62.2),
        "224, ResNet-101",
        class_f1="mean of F1",
        top3_rule="exactly 3",
        note="AP of VOC 2010; its own selection of photos, 2.42 labels each",
    ),
    PublishedRow(
        "ML-GCN",
        "ml-gcn",
        (64.9, 70.9, 58.0, 63.8, 80.1, 73.6, 76.7),
        (51.2, 61.5, 55.8, 56.7, 73.3, 63.9),
        UNSAID,
        top3_rule="exactly 3",
        note=f"{RERUN}; test photos with 2.32 labels each",
    ),
    PublishedRow(
        "A-GCN",
        "a-gcn",
        (65.0, 70.7, 58.2, 63.8, 80.0, 73.7, 76.7),
        (51.1, 61.7, 55.9, 56.7, 73.3, 63.9),
        UNSAID,
        top3_rule="exactly 3",
        note=f"{RERUN}; test photos with 2.32 labels each",
    ),
    PublishedRow(
        "VACIT",
        "vac",
        (65.4, 73.3, 56.7, 63.9, 82.2, 73.1, 77.4),
        (51.7, 61.3, 56.1, 57.3, 73.7, 64.5),
        UNSAID,
        top3_rule="exactly 3",
        note=f"{RERUN}; test photos with 2.33 labels each",
    ),
    PublishedRow(
        "G-CAM",
        "gcam",
        (66.2, 73.7, 57.3, 64.5, 82.8, 73.2, 77.7),
        (52.3, 61.6, 56.6, 57.5, 74.2, 64.8),
        STATED,
        top3_rule="exactly 3",
        note="test photos with 2.33 labels each, so that those without a label were left out",
    ),
)

ABLATION: Mapping[str, tuple[float, float, float]] = {
    "mirflickr25k": (80.4, 79.9, 81.4),
    "coco2014": (77.5, 83.0, 84.1),
    "nus-wide": (65.4, 64.9, 66.2),
}
"""Table 4: mAP without the graph network, without consistent maps, and with both. The first two are
the rows of VACIT and ML-GCN of Tables 1 to 3, whose resolutions and pooling differ."""
