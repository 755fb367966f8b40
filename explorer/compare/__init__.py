"""What the Compare page shows: the race and the ladder."""

from explorer.compare import ladder, race
from explorer.stage import View

VIEWS = (
    View("race", "The race", race.show),
    View("ladder", "The ladder", ladder.show),
)
