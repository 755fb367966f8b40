"""The first thing that a newcomer sees: a tiny LLaMA that learns, and what LLaMA is."""

from explorer import content, glossary
from explorer.components.replay import Recording, replay
from explorer.engine.server.pretrained import pretrained_run
from explorer.figures.amounts import in_time
from explorer.home import doors, headline, model_card, small_tree, starting
from explorer.stage import Stage


def show(stage: Stage) -> None:
    """Show a recorded training, where to begin, the model card, pages, headline and family."""
    replay(recording(), key="replay")
    with stage.controls:
        glossary.say(content.home("welcome"))
        starting.show()
        model_card.show_short()
    with stage.below:
        doors.show()
        model_card.show()
        headline.show()
        small_tree.show()


def recording() -> Recording:
    """Give the recorded training of the model that comes with the app, as it was logged then."""
    run = pretrained_run()
    losses = run.series["loss"]
    return Recording(
        title="Watch a tiny LLaMA learn to tell a story",
        note=f"Recorded: {run.id}, {len(losses.steps):,} steps in {in_time(run.seconds)}",
        steps=losses.steps,
        losses=losses.values,
        samples=run.samples,
    )
