import base64
import io
import re

import numpy as np
from channels import corner
from PIL import Image

from tagsight.search.index import Hit
from tagsight.search.page import SIDE, results_page


def test_the_page_has_small_copies_and_labels_and_asks_nobody_for_anything(tmp_path):
    paths = [tmp_path / "<b>.png", tmp_path / "wide.png", tmp_path / "gone.png"]
    corner("red").save(paths[0])
    corner("blue", (2000, 500)).save(paths[1])
    names, scores = ("dog", "<cat>"), np.array([0.91, 0.82], dtype=np.float32)
    hits = [Hit(path, 0.5, names, scores, b"") for path in paths]
    page = results_page(hits, names, like=paths[0], region=(0, 0, 8, 8))
    assert page.count("<li>") == 3
    pictures = re.findall(r'<img [^>]*src="data:image/jpeg;base64,([^"]+)"', page)
    assert len(pictures) == page.count("<img ") == 3
    for picture in pictures:
        with Image.open(io.BytesIO(base64.b64decode(picture))) as copy:
            assert max(copy.size) <= SIDE
    assert page.count('alt="dog 0.91, &lt;cat&gt; 0.82"') == 2
    assert "cannot be opened any more" in page
    assert "default-src 'none'" in page
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
