"""Words and sentences of the tales: all of this project's own making, kind and clean.

Sentences are few-lettered and short, and a story keeps to one hero and one friend, so that a model
of 200,000 parameters can learn to write the like in a minute. Braces are filled by `tales.cast`.
"""

from dataclasses import dataclass

FIRST_SYLLABLES = ("Be", "Da", "Ge", "Lo", "Mi", "Ra", "Su", "To")
SYLLABLES = ("bu", "fa", "ga", "gu", "la", "le", "lo", "lu", "ra", "ri", "ru", "vi")
"""What heroes' names are made of, so that a name says nothing of how it goes on: whoever wants to
write one again must look it up in the story. That is what copying heads are for.
"""
PRONOUNS = {"she": {"He": "She", "his": "her"}, "he": {"He": "He", "his": "his"}}
KINDS = (
    *("bear", "bee", "bird", "cat", "dog", "duck", "fox", "frog", "goat", "hen", "horse"),
    *("lamb", "mole", "mouse", "owl", "pig", "rabbit"),
)
NATURES = ("little", "young", "kind", "happy", "brave", "shy")
FRIEND_NATURES = ("old", "kind", "big", "young", "little")
PLACES = (
    "by the sea",
    "on a hill",
    "in the forest",
    "in a garden",
    "in a little house",
    "in a warm nest",
    "in an old tree",
)
PLEASURES = ("sing", "dance", "run", "read", "paint", "play", "swim", "climb")
COLOURS = ("red", "blue", "white", "new", "old", "little")
TOYS = {
    "kite": "flew the kite",
    "ball": "played with the ball",
    "boat": "sailed the boat",
    "drum": "played the drum",
    "doll": "played with the doll",
}
OPENINGS = (
    "Once upon a time there was {a_hero} named {hero}.",
    "Once there was {a_hero} named {hero}.",
    "{hero} was {a_hero}.",
)
HOME_LINES = ("{hero} lived {place}.", "{He} lived {place}.")
LIKES = (
    "{hero} loved to {pleasure}.",
    "{He} loved to {pleasure}.",
    "{hero} loved to {pleasure} and {other_pleasure}.",
)
ENDINGS = (
    "{hero} was happy.",
    "{hero} and the {friend} were happy.",
    "{hero} and the {friend} were friends.",
    "Then {hero} went home.",
    "That night {hero} slept well.",
    '"Good night, {hero}," said the moon.',
)
MEETINGS = (
    "Then {hero} met {a_friend}.",
    "Then {hero} saw {a_friend}.",
    "Soon {hero} met {a_friend}.",
)
THANKS = ('"Thank you!" said {hero}.', "{hero} gave the {friend} a hug.")
THANKS_BACK = ('"Thank you, {hero}!" said the {friend}.', "The {friend} gave {hero} a hug.")


@dataclass(frozen=True, kw_only=True)
class Plot:
    """What happens: beats one after another, each in one of several wordings."""

    beats: tuple[tuple[str, ...], ...]
    details: tuple[dict[str, str], ...]
    """What goes together, such as a trouble, who can help with it, and how."""


def rows(names: str, *values: tuple[str, ...]) -> tuple[dict[str, str], ...]:
    """Make a small table: names of columns, then a tuple a row."""
    return tuple(dict(zip(names.split(), row, strict=True)) for row in values)


LOST_TOY = Plot(
    details=rows(
        "trouble helpers rescue",
        ("got stuck in a tree", "bird owl", "flew up and got"),
        ("fell in the pond", "duck frog", "swam out and got"),
        ("fell in a hole", "mole rabbit", "went down and got"),
        ("got stuck in the mud", "pig horse", "pulled out"),
        ("got lost in the grass", "cat dog", "looked and found"),
    ),
    beats=(
        ("One day {hero} had {a_toy}.", "{hero} had {a_toy}.", "One day {hero} got {a_toy}."),
        ("{hero} {played}.",),
        ("But the {toy} {trouble}.",),
        ("{hero} was sad.", '"Oh no!" said {hero}.', '"My {toy}!" said {hero}.'),
        MEETINGS,
        ('"Can you help me?" asked {hero}.', '"Please help me," said {hero}.'),
        ('"Yes, {hero}," said the {friend}.', '"I can help you, {hero}," said the {friend}.'),
        ("The {friend} {rescue} the {toy}.",),
        THANKS,
        ("{hero} and the {friend} {played}.", "{hero} {played} again."),
    ),
)
SHARED_FOOD = Plot(
    details=rows(
        "food helpers",
        ("cake", "mouse"),
        ("pie", "pig"),
        ("pear", "bear"),
        ("plum", "bird"),
        ("apple", "goat"),
        ("bun", "hen"),
    ),
    beats=(
        ("One day {hero} found a big {food}.", "One day {hero} had a sweet {food}."),
        ('"It is big!" said {hero}.', "{hero} loved the {food}."),
        MEETINGS,
        ('"I am hungry, {hero}," said the {friend}.', "The {friend} was hungry."),
        ('"You can have some," said {hero}.', '"We can share," said {hero}.'),
        ("{hero} cut the {food} in two.", "{hero} gave half to the {friend}."),
        ("{hero} and the {friend} ate the {food}.", "{hero} sat in the sun and ate."),
        THANKS_BACK,
    ),
)
LOST_AT_NIGHT = Plot(
    details=rows("helpers", ("lamb hen",)),
    beats=(
        ("One night {hero} heard a sound.", "One night {hero} could not sleep."),
        ("{hero} saw {a_friend}.", "By the door {hero} saw {a_friend}."),
        ('"I am lost, {hero}," said the {friend}.', '"I am lost," said the {friend}.'),
        ('"I can help you," said {hero}.', '"Do not be sad," said {hero}.'),
        ("{hero} took a lamp.",),
        ("{hero} walked and walked.", "{hero} walked with the {friend}."),
        ("Soon {hero} saw a light.", "Then {hero} saw a house."),
        ('"That is my home!" said the {friend}.', '"Look, {hero}, my home!" said the {friend}.'),
        THANKS_BACK,
    ),
)
RAIN = Plot(
    details=rows("drink helpers", ("soup", "dog"), ("tea", "rabbit"), ("milk", "cat")),
    beats=(
        ("One day {hero} saw the rain.",),
        ("{hero} sat by the fire.", "{hero} ran home to the fire."),
        ("By the door {hero} saw {a_friend}.",),
        ("The {friend} was wet.", '"I am cold, {hero}," said the {friend}.'),
        ('"Please come in," said {hero}.', '"Come in," said {hero}.'),
        ("{hero} gave the {friend} some warm {drink}.",),
        ("{hero} and the {friend} sat by the fire.", "{hero} sang a song with the {friend}."),
        ("Soon {hero} saw the sun.", "Then {hero} saw the sun again."),
        THANKS_BACK,
    ),
)
LEARNING = Plot(
    details=rows(
        "skill did helpers",
        ("dance", "danced", "fox"),
        ("sing", "sang", "bird"),
        ("paint", "painted", "mole"),
        ("swim", "swam", "duck frog"),
        ("read", "read", "owl"),
        ("climb", "climbed", "goat cat"),
    ),
    beats=(
        ("But {hero} could not {skill}.", "{hero} wanted to {skill}."),
        ("{hero} tried and tried.", "It was hard for {hero}."),
        ('"I can not {skill}," said {hero}.', "{hero} was sad."),
        MEETINGS,
        ('"I can show you, {hero}," said the {friend}.', '"Try again, {hero}," said the {friend}.'),
        ("So {hero} tried again.", "{hero} tried one more time."),
        ("Then {hero} could {skill}!", '"Look, I can {skill}!" said {hero}.'),
        THANKS,
        ("{hero} and the {friend} {did}.", "{hero} {did} all day."),
    ),
)
SEED = Plot(
    details=rows(
        "plant helpers",
        ("red flower", "bee"),
        ("white flower", "mole"),
        ("apple tree", "horse"),
        ("plum tree", "hen"),
    ),
    beats=(
        ("One day {hero} found a seed.", "One day {hero} had a seed."),
        ("{hero} put the seed in the ground.", "{hero} gave the seed some water."),
        ("But the seed did not grow.",),
        MEETINGS,
        (
            '"It needs time, {hero}," said the {friend}.',
            '"It needs the sun, {hero}," said the {friend}.',
        ),
        ("So {hero} waited.", "{hero} waited and waited."),
        ("Then {hero} saw {a_plant}.", "Soon {hero} had {a_plant}."),
        ('"Look, it grew!" said {hero}.', '"It is pretty!" said {hero}.'),
        ("{hero} danced with the {friend}.", "{hero} sang a song."),
    ),
)
GIFT = Plot(
    details=rows(
        "gift helpers",
        ("hat", "bear"),
        ("cake", "pig"),
        ("kite", "fox"),
        ("boat", "frog"),
        ("drum", "rabbit"),
        ("doll", "mouse"),
    ),
    beats=(
        ("One day {hero} met {a_friend}.",),
        ("The {friend} was sad.",),
        ("So {hero} made a {gift}.", "{hero} wanted to make a {gift}."),
        ("It was hard for {hero}.", "{hero} worked and worked."),
        ('"This {gift} is for you," said {hero}.', "{hero} gave the {gift} to the {friend}."),
        ('"For me?" asked the {friend}.', '"I love it, {hero}!" said the {friend}.'),
        THANKS_BACK,
    ),
)
NEW_FRIEND = Plot(
    details=rows(
        "game helpers",
        ("played in the sand", "duck"),
        ("ran up the hill", "fox"),
        ("jumped in the grass", "rabbit"),
        ("danced and sang", "lamb"),
    ),
    beats=(
        ("But {hero} had no friends.", "{hero} wanted a friend."),
        ("One day {hero} met {a_friend}.", "One day {hero} saw {a_friend}."),
        ('"Who are you?" asked {hero}.', '"I am {hero}," said {hero}.'),
        ('"I am {a_kind}," said the {friend}.',),
        ('"Can we play?" asked {hero}.', '"Do you want to play?" asked {hero}.'),
        ('"Yes, {hero}!" said the {friend}.',),
        ("{hero} and the {friend} {game}.",),
    ),
)
HIDE = Plot(
    details=rows(
        "spot helpers",
        ("in the grass", "rabbit"),
        ("by the tree", "cat"),
        ("under the bed", "mouse"),
        ("in the box", "hen"),
    ),
    beats=(
        ("One day {hero} played with {a_friend}.",),
        ('"One, two, three!" said {hero}.',),
        ('"Where are you?" asked {hero}.',),
        ("{hero} looked and looked.", "{hero} looked by the house."),
        ("Then {hero} looked {spot}.",),
        ('"Here I am, {hero}!" said the {friend}.',),
        ("{hero} and the {friend} laughed.", '"One more time!" said {hero}.'),
    ),
)
WHOSE_IS_IT = Plot(
    details=rows("helpers", ("bear fox",)),
    beats=(
        ("One day {hero} found {a_toy}.",),
        ('"Who lost this {toy}?" asked {hero}.',),
        ("{hero} asked {a_other}.",),
        ('"No, {hero}," said the {other_kind}.',),
        ("{hero} asked {a_friend}.",),
        ('"Yes, it is my {toy}!" said the {friend}.',),
        THANKS_BACK,
        ("{hero} and the {friend} {played}.",),
    ),
)
PLOTS = (
    LOST_TOY,
    LOST_TOY,
    SHARED_FOOD,
    LOST_AT_NIGHT,
    RAIN,
    LEARNING,
    SEED,
    GIFT,
    NEW_FRIEND,
    HIDE,
    WHOSE_IS_IT,
)
