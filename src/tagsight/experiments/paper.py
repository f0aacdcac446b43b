"""The tables and figures of the G-CAM paper as experiments: which systems, with which settings.

Each is a list of variants of recipes. `comparison` trains and measures them; `reproduction` puts
the results beside the published ones. The photos are a data set of the paper or the user's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from tagsight.errors import DataError
from tagsight.systems.settings import Change, choose_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tagsight.config import Recipe

Profile = Literal["cpu", "paper-224", "paper-448"]

Shape = Literal["systems", "ablation", "losses", "labels", "sweep", "retrieval"]


class Variant(NamedTuple):
    """One row of a table, or one point of a curve.

    Attributes:
        name: Name in the table.
        system: A key of `SYSTEMS`.
        changes: Settings that differ from the profile's recipe, by their dotted names.
        note: Caveat for the reader.
    """

    name: str
    system: str
    changes: Mapping[str, str] = {}
    note: str = ""


class Experiment(NamedTuple):
    """A table or figure of the paper.

    Attributes:
        title: Title of the table or figure.
        shape: Kind of table or figure.
        dataset: Main data set of the published numbers, a key of `DATASETS`.
        also: Other data sets of the published numbers.
        variants: The variants to train.
        reading: How to read the published numbers.
        varied: Setting that a sweep varies, as named in the paper.
    """

    title: str
    shape: Shape
    dataset: str
    also: tuple[str, ...]
    variants: tuple[Variant, ...]
    reading: str
    varied: str = ""


MIXED = (
    "The published rows are copied from papers with other resolutions, poolings and splits; the "
    "columns 'class F1' and 'top 3' say which definitions the arithmetic of a row tells. Ours are "
    "all of one split, one resolution and one evaluator."
)

WITHOUT_GCN = Variant("without GCN", "vac", note="VAC: linear classifiers, consistent maps")
WITHOUT_CAM = Variant(
    "without CAM", "gcam", {"system.consistency.weight": "0"}, "no consistency of maps"
)
WITH_BOTH = Variant("with GCN and CAM", "gcam")


def _sweep(setting: str, values: str, notes: Mapping[str, str] = {}) -> tuple[Variant, ...]:
    return tuple(
        Variant(value, "gcam", {setting: value}, notes.get(value, "")) for value in values.split()
    )


EXPERIMENTS: dict[str, Experiment] = {
    "table1": Experiment(
        "Systems on MIRFLICKR-25K",
        "systems",
        "mirflickr25k",
        (),
        (
            Variant("ML-GCN", "ml-gcn"),
            Variant("A-GCN", "a-gcn"),
            Variant("VACIT", "vac"),
            Variant("G-CAM", "gcam"),
        ),
        f"{MIXED} The paper counts 4.7 labels a photo, which fits 38 topics and not its 24.",
    ),
    "table2": Experiment(
        "Systems on COCO 2014",
        "systems",
        "coco2014",
        (),
        (
            Variant("CNN-RNN", "cnn-rnn"),
            Variant("RNN-Attention", "rnn-attention"),
            Variant("Order-Free RNN", "order-free-rnn"),
            Variant("ML-ZSL", "ml-zsl"),
            Variant("SRN", "srn"),
            Variant("Multi-Evidence", "multi-evidence"),
            Variant("ResNet-101", "resnet"),
            Variant("ML-GCN", "ml-gcn"),
            Variant("A-GCN", "a-gcn"),
            Variant("VACIT", "vac"),
            Variant("G-CAM", "gcam"),
        ),
        f"{MIXED} The mAP of CNN-RNN is a mean over photos, of another kind than the others.",
    ),
    "table3": Experiment(
        "Systems on NUS-WIDE",
        "systems",
        "nus-wide-labelled",
        (),
        (
            Variant("KNN", "knn"),
            Variant("WARP", "warp"),
            Variant("CNN-RNN", "cnn-rnn"),
            Variant("ResNet-101", "resnet"),
            Variant("SRN", "srn"),
            Variant("ML-GCN", "ml-gcn"),
            Variant("A-GCN", "a-gcn"),
            Variant("VACIT", "vac"),
            Variant("G-CAM", "gcam"),
        ),
        f"{MIXED} By their ratio of recall to precision the rows are of three different sets of "
        "test photos, all without photos that have no label.",
    ),
    "table4": Experiment(
        "G-CAM without its parts",
        "ablation",
        "mirflickr25k",
        ("coco2014", "nus-wide-labelled"),
        (WITHOUT_GCN, WITHOUT_CAM, WITH_BOTH),
        "The published rows are those of VACIT and ML-GCN of Tables 1 to 3, at their resolutions; "
        "ML-GCN pools by maximum there, and by average here.",
    ),
    "figure4": Experiment(
        "Loss by iteration, G-CAM and VAC",
        "losses",
        "mirflickr25k",
        (),
        (Variant("VACIT", "vac"), Variant("G-CAM", "gcam")),
        "The curves are drawn in the paper without numbers. The two losses are sums of the same "
        "terms; where the error of maps is relative to their variance they can be compared.",
    ),
    "figure5": Experiment(
        "Average precision of each label, G-CAM and VAC",
        "labels",
        "mirflickr25k",
        (),
        (Variant("VACIT", "vac"), Variant("G-CAM", "gcam")),
        "The paper states that G-CAM is better on 23 of 24 labels, by 3.7 on 'bird' and by 1.0 on "
        "average, and slightly worse on 'lake'; the bars are drawn without numbers.",
    ),
    "figure6": Experiment(
        "mAP by epsilon, the probability from which on labels are joined (Eq. 5)",
        "sweep",
        "mirflickr25k",
        ("coco2014", "nus-wide-labelled"),
        _sweep(
            "system.graph.epsilon",
            "0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1.0",
            {"1.0": "degenerate: only labels that are never apart are joined"},
        ),
        "The paper is highest at 0.4 on all data sets; the curves are drawn without numbers.",
        "epsilon",
    ),
    "figure7": Experiment(
        "mAP by delta, the share of a label's neighbours (Eq. 6)",
        "sweep",
        "mirflickr25k",
        ("coco2014", "nus-wide-labelled"),
        _sweep(
            "system.graph.delta",
            "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1",
            {
                "0": "degenerate: no label hears of another",
                "1": "degenerate: labels keep nothing of themselves; those that no other informs "
                "have no classifier",
            },
        ),
        "The paper is highest at 0.2 on all data sets, and does not converge at 1; the curves are "
        "drawn without numbers.",
        "delta",
    ),
    "figure8": Experiment(
        "mAP by lambda, the weight of consistent maps (Eq. 13)",
        "sweep",
        "mirflickr25k",
        ("coco2014", "voc2007"),
        _sweep(
            "system.consistency.weight",
            "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1",
            {
                "0": "degenerate: no consistency; ML-GCN with average pooling",
                "1": "degenerate: nothing tells which labels a photo has",
            },
        ),
        "The paper is highest at 0.4 on all data sets; the curves are drawn without numbers.",
        "lambda",
    ),
    "figure9": Experiment(
        "Photos and the five that are most like them",
        "retrieval",
        "mirflickr25k",
        (),
        (Variant("G-CAM", "gcam"),),
        "The paper shows one query, without saying which vector is compared or by which distance; "
        "here it is the cosine of the pooled features, and labels that are shared are marked.",
    ),
}

PAPER_RECIPES = {"resnet": "resnet101-gap"}
"""Published recipes that are not named after their system."""

SIDES: dict[Profile, str] = {"paper-224": "224", "paper-448": "448"}

PROFILE_WORDS: dict[Profile, str] = {
    "cpu": "Ours are by the recipes for a processor: a small backbone, its first stages frozen.",
    "paper-224": "Ours are by the published settings, ResNet-101 at 224 pixels but for what was "
    "changed.",
    "paper-448": "Ours are by the published settings, ResNet-101 at 448 pixels but for what was "
    "changed.",
}


def experiment_of(name: str) -> Experiment:
    """Look up a table or figure by name.

    Args:
        name: A key of `EXPERIMENTS`.

    Raises:
        DataError: If there is no such experiment.

    Example:
        >>> experiment_of("table4").title
        'G-CAM without its parts'
    """
    if name not in EXPERIMENTS:
        msg = f"expected one of {', '.join(EXPERIMENTS)}, got {name!r}"
        raise DataError(msg)
    return EXPERIMENTS[name]


def base_recipe(variant: Variant, profile: Profile) -> str:
    """Return the name of the recipe that a variant changes.

    Args:
        variant: System and changes.
        profile: ``cpu`` are recipes tuned for minutes on two cores; ``paper-224`` and
            ``paper-448`` are the published settings at that resolution.

    Example:
        >>> base_recipe(WITH_BOTH, "cpu"), base_recipe(WITH_BOTH, "paper-448")
        ('gcam-cpu', 'gcam-paper')
    """
    if profile == "cpu":
        return f"{variant.system}-cpu"
    return PAPER_RECIPES.get(variant.system, f"{variant.system}-paper")


def changes_of(variant: Variant, profile: Profile) -> list[Change]:
    """List the changes of a variant and a profile to the recipe.

    Args:
        variant: System and changes.
        profile: Recipes and resolution, as for `base_recipe`.

    Example:
        >>> variant = Variant("without a graph", "gcam", {"graph.epsilon": "1"})
        >>> for profile in ("cpu", "paper-448"):
        ...     [change.spelled for change in changes_of(variant, profile)]
        ['--graph.epsilon']
        ['--training.image_size', '--graph.epsilon']
    """
    size = {} if profile == "cpu" else {"training.image_size": SIDES[profile]}
    return [
        Change(tuple(setting.split(".")), value, f"--{setting}")
        for setting, value in {**size, **variant.changes}.items()
    ]


def recipe_of(variant: Variant, profile: Profile, changes: Sequence[Change] = ()) -> Recipe:
    """Create the recipe of a variant.

    Args:
        variant: System and changes.
        profile: Recipes and resolution, as for `base_recipe`.
        changes: Further changes, which come last.

    Example:
        >>> recipe_of(WITHOUT_CAM, "cpu").settings.consistency.weight
        0.0
    """
    return choose_recipe(base_recipe(variant, profile), [*changes_of(variant, profile), *changes])
