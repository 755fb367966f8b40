"""Every tokenizer gives back the text that it was given, and damaged files end in one sentence."""

import hashlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from pydoc_data import topics

import numpy as np
import pytest
import sentencepiece

from tiny_llama.errors import CheckpointError, ConfigError, TextError
from tiny_llama.tokenizers import TOKENIZERS, load_tokenizer, train_tokenizer
from tiny_llama.tokenizers.base import well_formed
from tiny_llama.tokenizers.hugging_face import merges, read_tokenizer, write_tokenizer_json
from tiny_llama.tokenizers.sentence_piece import SentencePieceTokenizer, share_in_bytes
from tiny_llama.tokenizers.sentence_piece_model import Kind
from tiny_llama.tokenizers.sentence_piece_text import MOST_CHARACTERS, training_lines

ROOT = Path(__file__).parents[1]
PROSE = "\n".join(topics.topics.values())[:200_000]
EVERY_NAME = list(TOKENIZERS)
HOSTILE = {
    "a NUL": "a\0b" * 400,
    "line breaks only": "\n" * 1000,
    "spaces only": " " * 1000,
    "one space": " ",
    "tabs and carriage returns": "\t\r\n" * 400,
    "one character": "a",
    "one repeated character": "a" * 300_000,
    "no spaces": "".join(random.Random(1).choices("abcdefgh", k=300_000)),
    "emoji only": "😀😁👩‍👩‍👧🇫🇷👍🏽" * 100,
    "right to left": "שלום עולם مرحبا بالعالم \u200f\u202e" * 50,
    "combining marks": "e\u0301\u0302\u0303" * 300,
    "SentencePiece's space": "▁" * 1000,
    "SentencePiece's space in words": "a▁b ▁c▁ " * 200,
    "SentencePiece's unknown": "▅" * 1000,
    "special tokens": "<s>[INST] </s><unk><0x0A>\n" * 100,
    "brackets and hyphens": "[]^-\\&&||~~--" * 100,
    "digits only": "0123456789" * 200,
    "distinct characters only": "".join(map(chr, range(0x4E00, 0x4E00 + 20_000))),
    "a byte order mark": "\ufeffab" * 100,
    "non-characters": "\uffff\ufffe\U0010ffff\x7f\x80\u2028\u0085" * 100,
    "a script": "<script>alert('x')</script>" * 50,
}
ODD = [
    *(" ", "  ", "    ", "\t", "\n", "\r\n", "\0", "\u3000", "\xa0", "\u200f", "\ufeff", "\ufffd"),
    *("the ", " the", "The", "__init__", "aaaa", "--", "12", "345", "<s>", "</s>", "<unk>"),
    *("é", "e\u0301", "ﬁ", "Ａ", "😀", "👩‍👩‍👧", "שלום", "مرحبا", "漢字", "▅", "⁇", "<0x0A>"),
]


@pytest.fixture(scope="module", params=EVERY_NAME)
def tokenizer(request):
    return train_tokenizer(request.param, PROSE)


@pytest.fixture(scope="module")
def pieces():
    return train_tokenizer("sentencepiece", PROSE)


def random_text(rng, extra=()):
    """Make up a short text of the oddest characters and of any others."""
    some = [*ODD, *extra]
    ranges = [(32, 127), (32, 0xD800), (0xE000, 0x110000)]
    return "".join(
        rng.choice(some) if rng.random() < 0.6 else chr(rng.randrange(*rng.choice(ranges)))
        for _ in range(rng.randrange(60))
    )


# What every tokenizer promises


@pytest.mark.parametrize("name", ["bytes", "sentencepiece"])
def test_any_text_comes_back_unchanged(name):
    tokenizer = train_tokenizer(name, PROSE)
    rng = random.Random(0)
    for _ in range(3000):
        text = random_text(rng, extra=["▁", "▁▁", "a▁", " ▁ "])
        assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("name", EVERY_NAME)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_tokenizer_trained_on_a_hostile_text_gives_it_back(name, text):
    tokenizer = train_tokenizer(name, text)
    ids = tokenizer.encode(text)
    if name == "characters":
        unseen = set(text) - set(tokenizer.characters)
        assert len(unseen) == max(0, len(set(text)) - 4095)
        text = "".join("\ufffd" if character in unseen else character for character in text)
    assert tokenizer.decode(ids) == text


def text_of_script(first, n_characters, seed=0):
    """Make up a text of so many characters from a place in Unicode, some far more frequent."""
    rng = random.Random(seed)
    characters = [chr(first + number) for number in range(n_characters)]
    weights = [1 / (number + 1) for number in range(n_characters)]
    words = ("".join(rng.choices(characters, weights, k=rng.randrange(1, 9))) for _ in range(900))
    return " ".join(words) + "\n"


@pytest.mark.parametrize("vocab_size", [300, 512, 1500])
@pytest.mark.parametrize("n_characters", [60, 700])
def test_how_much_is_spelled_in_bytes_is_known_before_anything_is_learned(n_characters, vocab_size):
    text = text_of_script(0x4E00, n_characters)
    tokenizer = train_tokenizer("sentencepiece", text, vocab_size)
    kinds = [tokenizer.pieces[token].kind for token in tokenizer.encode(text)]
    n_bytes = kinds.count(Kind.BYTE) - text.count("\n")  # each of these characters has three
    assert share_in_bytes(text, vocab_size) == pytest.approx(n_bytes / 3 / len(text))
    n_kinds = len(set(text) - set(" \n"))
    assert (n_bytes > 0) == (n_kinds > (vocab_size - 259) // 2)


def test_ids_are_whole_numbers_within_the_vocabulary(tokenizer):
    ids = tokenizer.encode(PROSE)
    assert ids.dtype == np.int64
    assert ids.ndim == 1
    assert 0 <= ids.min() <= ids.max() < tokenizer.vocab_size


def test_an_empty_text_has_no_ids_and_no_ids_are_an_empty_text(tokenizer):
    assert tokenizer.encode("").shape == (0,)
    assert tokenizer.encode("").dtype == np.int64
    assert tokenizer.decode([]) == ""


def test_any_ids_decode(tokenizer):
    rng = np.random.default_rng(0)
    for _ in range(200):
        assert isinstance(tokenizer.decode(rng.integers(0, tokenizer.vocab_size, 50)), str)
    for id_ in range(tokenizer.vocab_size):
        assert isinstance(tokenizer.decode([id_]), str)
        assert tokenizer.token_text(id_)


@pytest.mark.parametrize("wrong", [-1, 1_000_000])
def test_an_id_outside_the_vocabulary_is_an_index_error(tokenizer, wrong):
    with pytest.raises(IndexError, match="must lie between 0 and"):
        tokenizer.decode([0, wrong])
    with pytest.raises(IndexError, match="must lie between 0 and"):
        tokenizer.token_text(wrong)


def test_byte_lengths_add_up_to_the_size_of_the_text(tokenizer):
    lengths = tokenizer.byte_lengths()
    assert lengths.dtype == np.int64
    assert lengths.shape == (tokenizer.vocab_size,)
    one_for_the_space_in_front = tokenizer.name == "sentencepiece"
    rng = random.Random(2)
    texts = [random_text(rng) + "." for _ in range(500)] if tokenizer.name != "characters" else []
    for text in [PROSE, "a", " a", *texts]:
        size = len(text.encode())
        assert lengths[tokenizer.encode(text)].sum() == size + one_for_the_space_in_front


def test_a_lone_surrogate_reads_as_the_replacement_character(tokenizer):
    assert tokenizer.decode(tokenizer.encode("a\ud800b\udfff")) == "a\ufffdb\ufffd"
    assert well_formed("\ud83d\ude00") == "😀"
    taught = train_tokenizer(tokenizer.name, "ab\ud800")
    assert taught.decode(taught.encode("ab\ud800")) == "ab\ufffd"


def test_learning_twice_gives_the_same_tokenizer(tokenizer):
    again = train_tokenizer(tokenizer.name, PROSE)
    assert np.array_equal(again.encode(PROSE), tokenizer.encode(PROSE))


def test_a_saved_tokenizer_loads_as_the_same(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "run" / "tokenizer")
    loaded = load_tokenizer(tmp_path / "run" / "tokenizer")
    assert type(loaded) is type(tokenizer)
    assert loaded.vocab_size == tokenizer.vocab_size
    assert np.array_equal(loaded.encode(PROSE), tokenizer.encode(PROSE))


def test_the_table_describes_every_tokenizer_and_its_sizes():
    for name, option in TOKENIZERS.items():
        assert option.kind.name == name
        assert option.title
        assert option.description.endswith(".")
        assert (option.default_vocab_size is None) == (option.vocab_size_bounds is None)


def test_a_tokenizer_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="tokenizer='words' does not exist; choose characters or"):
        train_tokenizer("words", PROSE)


@pytest.mark.parametrize("name", ["characters", "bytes"])
def test_a_size_that_nobody_can_choose_is_refused(name):
    with pytest.raises(ConfigError, match="vocab_size=512 cannot be chosen for the"):
        train_tokenizer(name, PROSE, 512)


@pytest.mark.parametrize("size", [0, -1, 258, 299, 32_001, 10**30, "512", 512.0, True])
def test_a_sentencepiece_size_out_of_bounds_is_refused(size):
    with pytest.raises(ConfigError, match=r"vocab_size=.* must lie between 300 and 32,000"):
        train_tokenizer("sentencepiece", PROSE, size)


@pytest.mark.parametrize("name", ["characters", "sentencepiece"])
def test_an_empty_text_teaches_nothing(name):
    with pytest.raises(TextError, match="The text is empty"):
        train_tokenizer(name, "")


def test_the_tokenizers_need_no_pytorch():
    code = "import sys, tiny_llama.tokenizers.hugging_face as _; sys.exit('torch' in sys.modules)"
    assert python(code).returncode == 0


# Characters


def test_characters_are_sorted_after_the_unknown():
    tokenizer = train_tokenizer("characters", "hello, world")
    assert tokenizer.characters == "\ufffd ,dehlorw"
    assert tokenizer.encode("hold").tolist() == [5, 7, 6, 3]


def test_an_unseen_character_becomes_the_unknown():
    tokenizer = train_tokenizer("characters", "abc")
    assert tokenizer.encode("aXb\U0010ffff\0").tolist() == [1, 0, 2, 0, 0]
    assert tokenizer.decode(tokenizer.encode("aXb")) == "a\ufffdb"
    assert tokenizer.encode("\ufffd").tolist() == [0]


def test_too_many_characters_leave_the_most_frequent():
    rare = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000)))
    tokenizer = train_tokenizer("characters", rare + "zyx" * 2)
    assert tokenizer.vocab_size == 4096
    assert tokenizer.characters == "\ufffdxyz" + rare[:4092]


def test_a_million_characters_take_well_under_100_ms():
    tokenizer = train_tokenizer("characters", PROSE)
    text = (PROSE * 5)[:1_000_000]
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        tokenizer.encode(text)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.1


# Bytes


def test_bytes_are_their_own_ids():
    tokenizer = train_tokenizer("bytes", "")
    assert tokenizer.encode("aé\0").tolist() == [97, 0xC3, 0xA9, 0]
    assert [tokenizer.token_text(id_) for id_ in (97, 10, 0xE2)] == ["a", "\n", "<0xE2>"]
    assert tokenizer.decode([0xE2, 97, 0xFF]) == "\ufffda\ufffd"


# SentencePiece


def test_pieces_are_made_as_llama_makes_them(pieces):
    assert [pieces.token_text(id_) for id_ in range(3)] == ["<unk>", "<s>", "</s>"]
    assert [pieces.pieces[3 + byte].text for byte in (0, 10, 255)] == ["<0x00>", "<0x0A>", "<0xFF>"]
    normal = [piece.text for piece in pieces.pieces[259:]]
    assert len(normal) == 512 - 259
    assert "▁the" in normal
    assert all(len(text) == 1 for text in normal if any(map(str.isdigit, text)))
    assert not any("▁" in text.lstrip("▁") or "\n" in text for text in normal)


def test_the_text_begins_with_a_space_and_line_breaks_are_bytes(pieces):
    read = [pieces.token_text(id_) for id_ in pieces.encode("the 12\nthe é▁")]
    assert read[0] == " the"
    assert read[1:5] == [" ", "1", "2", "\n"]
    assert read[-5:] == ["<0xC3>", "<0xA9>", "<0xE2>", "<0x96>", "<0x81>"]


def test_cutting_a_text_into_words_changes_nothing():
    rng = random.Random(3)
    for alphabet in ("ab", "ab ", "a ", "abc \n", "aab 0é"):
        text = "".join(rng.choices(alphabet, k=20_000))
        tokenizer = train_tokenizer("sentencepiece", text, 600)
        plain = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.content)
        assert tokenizer.encode(text).tolist() == plain.encode(text)
        for _ in range(200):
            short = "".join(rng.choices(alphabet, k=rng.randrange(60)))
            assert tokenizer.encode(short).tolist() == plain.encode(short)


def test_a_model_whose_pieces_reach_over_spaces_reads_a_text_uncut(pieces):
    content = pieces.content.replace("▁the".encode(), "n▁t".encode() + b"e", 1)
    tokenizer = SentencePieceTokenizer(content)
    plain = sentencepiece.SentencePieceProcessor(model_proto=content)
    text = "an tea in ten\n" * 10
    assert tokenizer.encode(text).tolist() == plain.encode(text)
    assert tokenizer.decode(tokenizer.encode(text + "▁")) == text + "▁"


def test_a_model_without_a_space_in_front_is_read_so():
    content = learn(["the cat sat on the mat"], add_dummy_prefix=False)
    tokenizer = SentencePieceTokenizer(content)
    assert tokenizer.byte_lengths()[tokenizer.encode("the cat")].sum() == len("the cat")
    assert tokenizer.decode(tokenizer.encode("  the cat")) == "  the cat"


def test_a_small_text_gets_as_many_pieces_as_it_holds():
    tokenizer = train_tokenizer("sentencepiece", "abab abab", 32_000)
    assert 259 < tokenizer.vocab_size < 300
    assert tokenizer.decode(tokenizer.encode("abab cd")) == "abab cd"


def test_rare_characters_leave_room_for_pairs():
    rare = "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))
    tokenizer = train_tokenizer("sentencepiece", rare + "the cat sat on the mat " * 200)
    normal = [piece.text for piece in tokenizer.pieces[259:]]
    assert sum(len(text) == 1 for text in normal) <= (512 - 259) // 2 + 1
    assert "▁the" in normal


def test_training_lines_are_short_enough_and_bounded():
    text = "word " * 1_000 + "😀" * 5_000 + "\n" + "ab\n" * 2_500_000
    lines = training_lines(text, 100)
    assert max(len(line.encode()) for line in lines) <= 4000
    assert sum(map(len, lines)) <= MOST_CHARACTERS
    assert training_lines("\0\n▁▅", 100) == [" "]


def test_learning_writes_nothing_on_the_screen(capfd):
    train_tokenizer("sentencepiece", PROSE[:20_000], 300)
    with pytest.raises(ValueError, match="cut short"):
        SentencePieceTokenizer(train_tokenizer("sentencepiece", "a b").content[:-5])
    assert capfd.readouterr() == ("", "")


def test_another_process_learns_the_same_file(pieces):
    code = (
        "import hashlib; from tiny_llama.tokenizers import train_tokenizer as train;"
        "from pydoc_data import topics; text = '\\n'.join(topics.topics.values())[:200_000];"
        "print(hashlib.sha256(train('sentencepiece', text).content).hexdigest())"
    )
    here = hashlib.sha256(pieces.content).hexdigest()
    assert python(code).stdout.strip() == here


# Damaged and hostile files


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"1" * 10_000, "is not JSON"),
        (b"[]", "holds a JSON list"),
        (b"null", "holds a JSON NoneType"),
        (b"{}", "does not name one of our tokenizers"),
        (b'{"tokenizer": ["characters"]}', "does not name one of our tokenizers"),
        (b'{"tokenizer": "words"}', "does not name one of our tokenizers"),
        (b'{"tokenizer": "characters"}', "are missing or are not a string"),
        (b'{"tokenizer": "characters", "characters": ["a"]}', "are missing or are not a string"),
        (b'{"tokenizer": "characters", "characters": "ba"}', "not sorted and distinct"),
        (b'{"tokenizer": "characters", "characters": "aa"}', "not sorted and distinct"),
        (b'{"tokenizer": "characters", "characters": "\\ud800"}', "that a vocabulary cannot have"),
        (b'{"tokenizer": "characters", "characters": "a\\ufffd"}', "that a vocabulary cannot have"),
        (b'{"tokenizer": "characters", "characters": "%s"}' % (b"a" * 4096), "are 4,096, more"),
        (b'{"tokenizer": "sentencepiece"}', "tokenizer.model is not there"),
        (b" " * 1_000_001, "is larger than 1,000,000 bytes"),
    ],
)
def test_a_damaged_tokenizer_json_is_refused_in_one_sentence(tmp_path, written, message):
    (tmp_path / "tokenizer.json").write_bytes(written)
    with pytest.raises(CheckpointError, match=message) as refusal:
        load_tokenizer(tmp_path)
    assert is_one_sentence(refusal)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        for read in (load_tokenizer, read_tokenizer):
            with pytest.raises(CheckpointError, match="is not there or is not a file") as refusal:
                read(folder)
            assert is_one_sentence(refusal)
    (tmp_path / "tokenizer.json").mkdir()
    with pytest.raises(CheckpointError, match="is not there or is not a file"):
        load_tokenizer(tmp_path)


def test_a_lone_sentencepiece_model_is_enough(pieces, tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(pieces.content)
    assert load_tokenizer(tmp_path).encode("the cat").tolist() == pieces.encode("the cat").tolist()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model_type": "unigram"}, "is not a byte-pair model"),
        ({"byte_fallback": False}, "has no byte fallback"),
        ({"normalization_rule_name": "nmt_nfkc"}, "rewrites characters"),
        ({"remove_extra_whitespaces": True}, "does not keep every space"),
        ({"treat_whitespace_as_suffix": True}, "puts spaces at the end"),
        ({"control_symbols": ["é"]}, "of a kind that LLaMA's does not have"),
        ({"user_defined_symbols": ["cat"]}, "of a kind that LLaMA's does not have"),
    ],
)
def test_a_model_unlike_llamas_is_refused_in_one_sentence(tmp_path, settings, message):
    (tmp_path / "tokenizer.model").write_bytes(learn(["the cat sat on the mat"] * 9, **settings))
    with pytest.raises(CheckpointError, match=message) as refusal:
        load_tokenizer(tmp_path)
    assert is_one_sentence(refusal)


def test_a_damaged_model_is_refused_or_still_loses_nothing(tmp_path):
    whole = train_tokenizer("sentencepiece", PROSE[:5_000], 300).content
    rng = random.Random(4)
    refused = 0
    for _ in range(600):
        (tmp_path / "tokenizer.model").write_bytes(damaged(whole, rng))
        try:
            tokenizer = load_tokenizer(tmp_path)
        except CheckpointError:
            refused += 1
        else:
            text = random_text(rng, extra="▁")
            assert tokenizer.decode(tokenizer.encode(text)) == text
    assert refused > 300


def test_a_huge_model_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "tokenizer.model").open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(CheckpointError, match="is larger than 8,000,000 bytes"):
        load_tokenizer(tmp_path)


# Hugging Face folders


@pytest.mark.parametrize("model_type", ["llama", "gpt2", None])
def test_hugging_face_reads_what_we_write_as_we_do(tokenizer, model_type, tmp_path):
    transformers = pytest.importorskip("transformers")
    write_tokenizer_json(tokenizer, tmp_path)
    if model_type:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert len(theirs) == tokenizer.vocab_size
    rng = random.Random(5)
    for text in [PROSE, *(random_text(rng).replace("▁", "") for _ in range(300))]:
        ids = tokenizer.encode(text).tolist()
        assert theirs.encode(text, add_special_tokens=False) == ids
        assert theirs.encode(text) == ids
        assert theirs.decode(ids) == tokenizer.decode(ids)
    if tokenizer.name == "sentencepiece":
        assert theirs.encode("a▁b") == tokenizer.encode("a b").tolist()  # the stated difference
    theirs.save_pretrained(tmp_path)
    assert np.array_equal(read_tokenizer(tmp_path).encode(PROSE), tokenizer.encode(PROSE))


def test_merges_read_even_overlapping_pairs_as_sentencepiece_does():
    tokenizers = pytest.importorskip("tokenizers")
    rng = random.Random(6)
    for alphabet in ("a", "ab", "ab ", "aab 0"):
        text = "".join(rng.choice(alphabet) * rng.randint(1, 9) for _ in range(3000))
        ours = train_tokenizer("sentencepiece", text, 600)
        pairs = [tuple(pair) for pair in merges(ours.pieces)]
        vocab = {piece.text: id_ for id_, piece in enumerate(ours.pieces)}
        theirs = tokenizers.models.BPE(vocab, pairs, byte_fallback=True)
        for _ in range(300):
            short = "".join(rng.choice(alphabet) * rng.randint(1, 9) for _ in range(12))
            written = [token.id for token in theirs.tokenize("▁" + short.replace(" ", "▁"))]
            assert written == ours.encode(short).tolist()


def test_a_folder_of_ours_needs_no_hugging_face_to_be_read(tokenizer, tmp_path):
    write_tokenizer_json(tokenizer, tmp_path / "out")
    read = read_tokenizer(tmp_path / "out")
    assert type(read) is type(tokenizer)
    assert np.array_equal(read.encode(PROSE), tokenizer.encode(PROSE))


@pytest.mark.parametrize(
    "change",
    [
        {"model": None},
        {"model": {"vocab": ["a"]}},
        {"model": {"vocab": {"a": "0"}}},
        {"model": {"vocab": {}}},
        {"decoder": None},
        {"normalizer": {"type": "Lowercase"}},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"added_tokens": [{"id": 4, "content": "<pad>"}]},
    ],
)
@pytest.mark.parametrize("name", ["characters", "bytes"])
def test_a_foreign_tokenizer_json_is_refused_in_one_sentence(tmp_path, name, change):
    write_tokenizer_json(train_tokenizer(name, "abc"), tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckpointError, match="is not a tokenizer of characters or") as refusal:
        read_tokenizer(tmp_path)
    assert is_one_sentence(refusal)


@pytest.mark.parametrize("vocab", [{"\ufffd": 0, "a": 2}, {"\ufffd": 0, "ab": 1}, {"a": 0}])
def test_missing_or_longer_tokens_are_refused(tmp_path, vocab):
    write_tokenizer_json(train_tokenizer("characters", "ab"), tmp_path)
    path = tmp_path / "tokenizer.json"
    document = json.loads(path.read_text())
    document["model"]["vocab"] = vocab
    path.write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match="is not a tokenizer of characters or"):
        read_tokenizer(tmp_path)


# Helpers


def python(code):
    """Run `code` in a fresh interpreter, at the root of the project."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)


def is_one_sentence(refusal):
    text = str(refusal.value)
    return text.endswith(".") and "\n" not in text and "Traceback" not in text


def learn(lines, **settings):
    """Give the content of a `.model` that SentencePiece learns with settings other than LLaMA's."""
    usual = {
        "model_type": "bpe",
        "vocab_size": 300,
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "hard_vocab_limit": False,
        "minloglevel": 3,
    }
    path = []

    class Writer:
        write = staticmethod(path.append)

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=Writer, **usual | settings
    )
    return b"".join(path)


def damaged(content, rng):
    """Give `content` with bytes changed, cut out or cut off, or no model at all."""
    changed = bytearray(content)
    match rng.randrange(4):
        case 0:
            for _ in range(rng.randint(1, 4)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
        case 1:
            del changed[rng.randrange(len(changed)) :]
        case 2:
            start = rng.randrange(len(changed))
            del changed[start : start + rng.randint(1, 30)]
        case 3:
            changed = bytearray(rng.randbytes(rng.randint(0, 3000)))
    return bytes(changed)
