from importlib.util import find_spec

import pytest

from tagsight.errors import DataError
from tagsight.labels.wordnet import installed_wordnet, wordnet_relations


class Synset:
    """A meaning in a tree; how near two are is how deep their common root lies."""

    def __init__(self, word, wider=None):
        self.word, self.wider = word, wider

    def hypernyms(self):
        return [] if self.wider is None else [self.wider]

    def path(self):
        return [self, *(self.wider.path() if self.wider else [])]

    def wup_similarity(self, other):
        shared = next(one for one in self.path() if one in other.path())
        return 2 * len(shared.path()) / (len(self.path()) + len(other.path()))


THING = Synset("thing")
ANIMAL = Synset("animal", THING)
DOG, CAT = Synset("dog", ANIMAL), Synset("cat", ANIMAL)
TABLE = Synset("dining_table", Synset("furniture", THING))
MEANINGS = {one.word: one for one in (THING, ANIMAL, DOG, CAT, TABLE)}


class Tree:
    def synsets(self, lemma, pos):
        assert pos == "n"
        return [MEANINGS[lemma]] if lemma in MEANINGS else []


def test_kinds_near_and_far_meanings_are_told_apart():
    names = ["dog", "cat", "animal", "dining table", "blorp"]
    kinds, near, far = wordnet_relations(names, Tree(), positive=0.65, negative=0.4)
    assert kinds[0].tolist() == [False, False, True, False, False]  # a dog is an animal
    assert near[0].tolist() == [False, True, True, False, False]
    assert far[0].tolist() == [False, False, False, True, False]
    assert not any(relation[4].any() or relation[:, 4].any() for relation in (kinds, near, far))
    assert all((relation == relation.T).all() for relation in (kinds, near, far))


@pytest.mark.skipif(find_spec("nltk") is not None, reason="nltk is installed here")
def test_without_nltk_the_extra_and_the_way_out_are_named():
    with pytest.raises(DataError, match=r"tagsight\[wordnet\].*`system.relations=cooccurrence`"):
        installed_wordnet()
