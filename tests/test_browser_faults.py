"""What students see in a real browser when something breaks under them; a server for each test."""

import pytest
from app_in_browser import LONG, Server, link

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path) as server:
        yield server


def test_when_the_worker_is_killed_every_run_says_so_and_goes_on(server, come):
    class_of_three = [come(link(**LONG, seed=seed)) for seed in range(3)]
    for student in class_of_three:
        student.train()
    server.kill_workers()
    for student in class_of_three:
        student.see_text("The worker process ended unexpectedly. This run went on from")
        student.see("Training", since=1)


def test_when_the_server_is_killed_the_open_page_finds_its_run_again(server, come):
    student = come(link(**LONG | {"sample_every": 0}))  # no part that is fetched only later
    student.train()
    step = student.see("Training", since=100)
    server.kill()
    server.start()
    student.see_text("The server was started anew. This run went on from its last checkpoint")
    student.see("Training", since=step)
    student.press("Stop")
    student.see("Stopped", since=step)
    student.forgive("net::ERR_CONNECTION", "disconnected from server", "server endpoint")
    student.forgive("server is not responding")
