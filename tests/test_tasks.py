from random import Random

import pytest

from tiny_llama.corpora import Example, Task
from tiny_llama.corpora.tasks import MODULUS, TASKS

PAIRS = {"(": ")", "[": "]", "{": "}"}


def is_right(name: str, example: Example) -> bool:
    """Solve an exercise anew, by other means than the task itself."""
    asked, said = example.prompt.rstrip("="), example.answer.removesuffix("\n")
    match name:
        case "copy":
            return said == asked
        case "reverse":
            return all(a == b for a, b in zip(said, reversed(asked), strict=True))
        case "repeat":
            return asked == f"\n{said}\n"
        case "sort":
            return sorted(asked) == list(said)
        case "addition" | "modular-addition":
            one, other = map(int, asked.split("+"))
            total = one + other
            return int(said) == (total if name == "addition" else total % MODULUS)
        case "dyck":
            return is_balanced(asked + said) and set(said) <= set(PAIRS.values())
    raise AssertionError(name)


def is_balanced(text: str) -> bool:
    while any(pair in text for pair in ("()", "[]", "{}")):
        for pair in ("()", "[]", "{}"):
            text = text.replace(pair, "")
    return not text


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_answer_is_right(task: Task):
    rng = Random(1)
    assert all(is_right(task.name, task.example(rng)) for _ in range(500))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_rows_have_the_wanted_length_and_mark_answers_only(task: Task):
    rng = Random(2)
    for n_characters in (17, 65, 200):
        text, is_answer = task.row(rng, n_characters)
        assert len(text) == len(is_answer) == n_characters
        assert set(text) <= set(task.alphabet)
        assert any(is_answer)
        assert not all(is_answer)
        if "=" in task.alphabet:
            assert not is_answer[text.index("=")]
            assert all(is_answer[i + 1] for i in range(n_characters - 1) if text[i] == "=")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_no_exercise_is_both_trained_on_and_held_out(task: Task):
    rng = Random(3)
    examples = [task.example(rng) for _ in range(3000)]
    held_out = {e.prompt for e in examples if task.is_held_out(e)}
    trained = {e.prompt for e in examples if not task.is_held_out(e)}
    assert not held_out & trained
    assert 0.05 < len(held_out) / len(held_out | trained) < 0.2
    row, _ = task.row(rng, 400, held_out=True)
    assert any(prompt in row for prompt in held_out) or len(trained) > 2000


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_alphabet_lists_each_character_once(task: Task):
    assert list(task.alphabet) == sorted(set(task.alphabet))
    rows = "".join(task.row(Random(seed), 300)[0] for seed in range(30))
    assert set(rows) == set(task.alphabet)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_same_seed_makes_the_same_exercises(task: Task):
    assert task.row(Random(5), 100) == task.row(Random(5), 100) != task.row(Random(6), 100)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_answers_are_found_again_in_a_text(task):
    text, is_answer = task.row(Random(3), 500)
    assert task.answers(text) == is_answer
    assert task.answers("") == []
