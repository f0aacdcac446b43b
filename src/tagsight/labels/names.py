"""Label names from user input: a file, a list, or the name of a data set."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tagsight.data.source import clean_name, require_file
from tagsight.errors import DataError

LARGEST_FILE = 2**22

_COCO = """
airplane, apple, backpack, banana, baseball bat, baseball glove, bear, bed, bench, bicycle, bird,
boat, book, bottle, bowl, broccoli, bus, cake, car, carrot, cat, cell phone, chair, clock, couch,
cow, cup, dining table, dog, donut, elephant, fire hydrant, fork, frisbee, giraffe, hair drier,
handbag, horse, hot dog, keyboard, kite, knife, laptop, microwave, motorcycle, mouse, orange,
oven, parking meter, person, pizza, potted plant, refrigerator, remote, sandwich, scissors, sheep,
sink, skateboard, skis, snowboard, spoon, sports ball, stop sign, suitcase, surfboard, teddy bear,
tennis racket, tie, toaster, toilet, toothbrush, traffic light, train, truck, tv, umbrella, vase,
wine glass, zebra
"""

_VOC = """
aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable, dog, horse,
motorbike, person, pottedplant, sheep, sofa, train, tvmonitor
"""

_NUS = """
airport, animal, beach, bear, birds, boats, book, bridge, buildings, cars, castle, cat, cityscape,
clouds, computer, coral, cow, dancing, dog, earthquake, elk, fire, fish, flags, flowers, food,
fox, frost, garden, glacier, grass, harbor, horses, house, lake, leaf, map, military, moon,
mountain, nighttime, ocean, person, plane, plants, police, protest, railroad, rainbow, reflection,
road, rocks, running, sand, sign, sky, snow, soccer, sports, statue, street, sun, sunset, surf,
swimmers, tattoo, temple, tiger, tower, town, toy, train, tree, valley, vehicle, water, waterfall,
wedding, whales, window, zebra
"""


def _names(text: str) -> tuple[str, ...]:
    return tuple(clean_name(name) for name in text.split(","))


LABEL_ORDERS: dict[str, tuple[str, ...]] = {
    "coco": _names(_COCO),
    "voc": _names(_VOC),
    "nus": _names(_NUS),
}
"""Labels of well-known data sets, in alphabetical order."""


def named_labels(text: str) -> tuple[str, ...]:
    """Read label names from user input.

    Args:
        text: A key of `LABEL_ORDERS`, a text file with one name per line, or names separated by
            commas.

    Raises:
        DataError: If there are no names, or one is repeated.

    Example:
        >>> named_labels("cat, dining table")
        ('cat', 'dining table')
        >>> len(named_labels("coco"))
        80
    """
    if text in LABEL_ORDERS:
        return LABEL_ORDERS[text]
    path = Path(text)
    if "," in text:
        parts = text.split(",")
    elif path.exists():
        content = require_file(path, largest=LARGEST_FILE).read_bytes()
        try:
            parts = content.decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            msg = f"{path}: expected UTF-8 text with one label per line, got {error.reason}"
            raise DataError(msg) from error
    else:
        msg = (
            f"expected labels as {', '.join(LABEL_ORDERS)}, a file with one name per line, or "
            f"names separated by commas, got {text!r}"
        )
        raise DataError(msg)
    names = tuple(name for part in parts if (name := clean_name(part, "labels")))
    if not names or len(set(names)) < len(names):
        odd = [name for name, count in Counter(names).items() if count > 1]
        msg = f"expected each label once, got {odd or 'none'} in {text!r}"
        raise DataError(msg)
    return names
