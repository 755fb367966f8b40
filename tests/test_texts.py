"""Texts that are brought, fetched, or found on the machine."""

import hashlib
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tiny_llama.corpora import CORPORA, own_text, read_text_file
from tiny_llama.corpora.python_manual import each_paragraph_once
from tiny_llama.corpora.tiny_shakespeare import HOME, SHA256, TinyShakespeare, cache_folder
from tiny_llama.errors import TextError

LONG = "To be, or not to be. " * 100


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "too short with 0 bytes"),
        ("a", "too short with 1 bytes"),
        (b"x" * 999, "too short with 999 bytes"),
        (b"x" * 5_000_001, "too long with 5,000,001 bytes"),
        (bytes(range(256)) * 10, "no UTF-8 text: byte 128 (0x80)"),
        (LONG.encode("utf-16"), "no UTF-8 text: byte 0"),
        (b"\x1f\x8b\x08" + b"\0" * 2000, "no UTF-8 text"),
        ("a\0b" * 500, "no text: character 1 is NUL"),
        (LONG.encode("utf-16-le"), "no text: character 1 is NUL"),
        (" \n\t" * 500, "blank"),
    ],
)
def test_text_that_is_not_fit_is_refused_with_a_sentence(data, word):
    with pytest.raises(TextError) as caught:
        own_text(data)
    assert word in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "text", ["🦙 " * 400, "שלום עולם " * 200, "<script>alert(1)</script>" * 80, "\x1b[31m" * 500]
)
def test_unusual_text_is_kept_as_it_is(text):
    assert own_text(text).text() == text
    assert own_text(text.encode()).text() == text


def test_marks_and_line_ends_of_other_systems_are_made_plain():
    assert (
        own_text(b"\xef\xbb\xbf" + b"one\r\ntwo\rthree\n" * 100).text() == "one\ntwo\nthree\n" * 100
    )


def test_lone_surrogates_do_no_harm():
    assert own_text("a\ud800b" * 500).text().encode()


def test_a_file_is_read_by_name_and_never_too_much_of_it(tmp_path):
    path = tmp_path / "play.txt"
    path.write_text(LONG)
    assert read_text_file(path).text() == LONG
    assert read_text_file(path).title == "play.txt"
    path.write_bytes(b"x" * 20_000_000)
    with pytest.raises(TextError, match=r"'play\.txt' is too long"):
        read_text_file(path)
    for missing in (tmp_path / "nowhere.txt", tmp_path):
        with pytest.raises(TextError, match="cannot be read"):
            read_text_file(missing)


def test_the_python_manual_is_long_english_prose():
    text = CORPORA["python-manual"].text()
    assert len(text) > 300_000
    assert text.count(" the ") > 2500


def test_the_python_manual_says_nothing_twice():
    paragraphs = CORPORA["python-manual"].text().strip().split("\n\n")
    assert len(set(paragraphs)) == len(paragraphs)
    assert each_paragraph_once("a b\n\n\n   c\n \na b\n") == "a b\n\n   c\n"


def test_a_python_without_its_manual_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(TextError, match="comes without its manual"):
        CORPORA["python-manual"].text()


@pytest.fixture
def home():
    """Lend a web server that hands out what it is told to, and counts how often it was asked."""

    class Home(BaseHTTPRequestHandler):
        body, status, asked, drips = LONG.encode(), 200, 0, False

        def do_GET(self):
            type(self).asked += 1
            self.send_response(self.status)
            self.send_header("Content-Length", str(len(self.body)))
            self.end_headers()
            if self.drips:
                self._drip()
            else:
                self.wfile.write(self.body[: -10 if self.status == 206 else None])

        def _drip(self):
            with suppress(OSError):  # the other side hangs up
                for byte in self.body[:20]:
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.05)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Home)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Home.address = f"http://127.0.0.1:{server.server_port}/input.txt"
    yield Home
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def shakespeare(home, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return TinyShakespeare(home.address, hashlib.sha256(LONG.encode()).hexdigest())


def test_shakespeare_is_fetched_once_and_kept(home, shakespeare):
    assert shakespeare.text() == LONG
    home.status = 500
    assert shakespeare.text() == LONG
    assert home.asked == 1


def test_a_damaged_copy_is_fetched_again(home, shakespeare):
    shakespeare.text()
    (kept,) = cache_folder().iterdir()
    kept.write_text("something else")
    assert shakespeare.text() == LONG
    assert home.asked == 2


def test_another_text_than_the_known_one_is_refused_and_not_kept(home, shakespeare):
    home.body = b"something else" * 200
    with pytest.raises(TextError, match=r"not Tiny Shakespeare: its SHA-256 is"):
        shakespeare.text()
    assert not cache_folder().exists()


@pytest.mark.parametrize("status", [404, 500, 206])
def test_an_answer_that_is_no_text_is_a_sentence(home, shakespeare, status):
    home.status = status
    with pytest.raises(TextError) as caught:
        shakespeare.text()
    assert "choose another corpus" in str(caught.value)


def test_a_server_that_drips_is_given_up(home, shakespeare, monkeypatch):
    monkeypatch.setattr("tiny_llama.corpora.tiny_shakespeare.MOST_SECONDS", 0.2)
    home.drips = True
    with pytest.raises(TextError, match=r"\(not finished after 0.2 seconds\)"):
        shakespeare.text()


def test_offline_it_says_so_and_the_others_stay(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(
        TextError, match="connect to the internet once, or choose another corpus"
    ) as caught:
        TinyShakespeare("http://127.0.0.1:9/input.txt").text()
    assert "<" not in str(caught.value)  # urllib's own words would vanish on a page


def test_a_cache_that_cannot_be_written_does_no_harm(shakespeare, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert shakespeare.text() == LONG


def test_its_home_and_hash_are_the_published_ones():
    found = CORPORA["tiny-shakespeare"]
    assert (found.home, found.sha256) == (HOME, SHA256)
    assert "karpathy/char-rnn" in HOME
    assert SHA256 == "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


def test_the_table_lists_what_was_promised():
    tasks = {"copy", "reverse", "repeat", "sort", "addition", "modular-addition", "dyck"}
    assert set(CORPORA) == tasks | {"tales", "python-manual", "tiny-shakespeare"}
    for name, corpus in CORPORA.items():
        assert corpus.name == name
        assert corpus.title
        assert corpus.description.endswith(".")
        assert corpus.source.endswith(".")
