"""Small stories without end: a hero, a plot, a friend, a good end; all of our own making."""

import re
from collections.abc import Iterator
from random import Random

from tiny_llama.corpora import tales_words as words
from tiny_llama.corpora.base import TextCorpus

N_CHARACTERS = 1_000_000
"""As much as a small run reads once: a thousand steps of 16 texts of 64 characters."""


BETWEEN = "\n\n "
"""What parts two stories. Word pieces begin with the space before a word, so a story begins with
one, too, and its first word is the same token wherever it stands.
"""


class Tales(TextCorpus):
    """A million characters of stories, one a paragraph."""

    name = "tales"
    title = "Tales"
    description = "Small stories that this project makes up, so simple that a tiny model can learn."
    source = "Made up on the spot by this project, from words and sentences of its own."

    def text(self, seed: int = 0) -> str:
        """Tell stories until there are a million characters; another seed tells others."""
        told, length = [], 0
        for story in stories(seed):
            told.append(story)
            length += len(story) + len(BETWEEN)
            if length >= N_CHARACTERS:
                break
        return BETWEEN.join(told) + "\n"


_NAME = re.compile(f"({'|'.join(words.FIRST_SYLLABLES)})({'|'.join(words.SYLLABLES)}){{2}}")


def stories(seed: int = 0) -> Iterator[str]:
    """Tell one story after another, without end, each a single line."""
    rng = Random(f"tales {seed}")
    while True:
        yield _tell(rng)


def _tell(rng: Random) -> str:
    plot = rng.choice(words.PLOTS)
    slots = cast(rng, plot)
    beats = (words.OPENINGS, words.HOME_LINES, words.LIKES, *plot.beats, words.ENDINGS)
    return " ".join(rng.choice(beat).format_map(slots) for beat in beats)


def cast(rng: Random, plot: words.Plot) -> dict[str, str]:
    """Choose who and what a story is about: a word for every brace of its sentences."""
    detail = rng.choice(plot.details)
    helpers = detail["helpers"].split()
    pronoun = rng.choice(("she", "he"))
    friend = rng.choice(helpers)
    kind, other_kind = rng.sample([kind for kind in words.KINDS if kind not in helpers], 2)
    pleasures = [each for each in words.PLEASURES if each != detail.get("skill")]
    pleasure, other_pleasure = rng.sample(pleasures, 2)
    toy = rng.choice(tuple(words.TOYS))
    return {
        **words.PRONOUNS[pronoun],
        **detail,
        "hero": name(rng),
        "friend": friend,
        "a_hero": _a(f"{rng.choice(words.NATURES)} {kind}"),
        "a_friend": _a(f"{rng.choice(words.FRIEND_NATURES)} {friend}"),
        "a_kind": _a(friend),
        "other_kind": other_kind,
        "a_other": _a(other_kind),
        "place": rng.choice(words.PLACES),
        "pleasure": pleasure,
        "other_pleasure": other_pleasure,
        "toy": toy,
        "a_toy": _a(f"{rng.choice(words.COLOURS)} {toy}"),
        "played": words.TOYS[toy],
        "a_plant": _a(detail.get("plant", "seed")),
    }


def name(rng: Random) -> str:
    """Invent a name of three syllables, no two alike, such as Mirabu."""
    first = rng.choice(words.FIRST_SYLLABLES)
    others = [syllable for syllable in words.SYLLABLES if syllable != first.lower()]
    return first + "".join(rng.sample(others, 2))


def is_name(word: str) -> bool:
    """Tell whether a word is a name that a story may invent."""
    return _NAME.fullmatch(word) is not None


def _a(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun
